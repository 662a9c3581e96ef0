"""Processes that are not awaited by anyone else: spawned without a shell or a fork of our memory, watched by pidfd."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path


def spawn(argv: Sequence[str], env: Mapping[str, str], descriptors: Mapping[int, int], *, own_group: bool = False) -> int:
    """Starts `argv[0]` (an absolute path). `descriptors` maps the child's descriptor numbers to ours; 0 defaults to /dev/null.

    `own_group`: it leads a process group, which can be killed with all it has started.
    """
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = []
    if 0 not in descriptors:
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
    # Ours are far above the child's few, so that no dup2 overwrites the source of the next.
    actions += [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in descriptors.items()]
    start = partial(os.posix_spawn, argv[0], list(argv), dict(env), file_actions=actions, setsigdef=[signal.SIGPIPE], setsigmask=[])
    return start(setpgroup=0) if own_group else start()


async def readable(fd: int) -> None:
    """Returns when the descriptor can be read."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


async def writable(fd: int) -> None:
    """Returns when the descriptor can be written."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(fd, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(fd)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def reap(pid: int) -> int:
    """Waits for a child of ours; returns its exit code, negative for a signal."""
    with suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            await readable(fd)
        finally:
            os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])  # noqa: ASYNC222 - it has ended: returns at once


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks since boot; 0 if it is gone. Zombies count as gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def open_process(pid: int, started: int) -> int | None:
    """A pidfd of exactly that process, or None if it is gone (the number may live on in another)."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    if start_ticks(pid) != started:
        os.close(fd)
        return None
    return fd
