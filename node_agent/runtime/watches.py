"""Watching a folder by inotify: that something has changed in it, not what."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from node_agent.runtime.syscalls import inotify_add_watch, inotify_init


@contextmanager
def watching(folder: Path, mask: int, on_change: Callable[[], object]) -> Iterator[Callable[[], object]]:
    """While the context is open `on_change` is called, in the event loop, after events of the mask (IN_...). Raises OSError.

    Gives a function that begins again with whatever folder has the name by then.
    """
    def begin() -> None:
        inotify_add_watch(watch, str(folder), mask)

    watch = inotify_init()
    loop = asyncio.get_running_loop()
    try:
        begin()
        loop.add_reader(watch, _drain, watch, on_change)
        yield begin
    finally:
        loop.remove_reader(watch)
        os.close(watch)


def _drain(watch: int, on_change: Callable[[], object]) -> None:
    with suppress(BlockingIOError):
        os.read(watch, 65536)
    on_change()
