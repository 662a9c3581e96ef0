"""Wakes the watchers of one resource: at once after a pause, together when events come thick.

A watcher that is woken for each event writes each event on its own, and a hundred watchers make a hundred writes of it. So the bell rings
no sooner after the last time than telling everybody takes: few watchers notice nothing, many get several events in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final, Protocol

PER_WATCHER_S: Final = 50e-6
LONGEST_S: Final = 0.01


class Listener(Protocol):
    def wake(self) -> None: ...


class Bell:
    def __init__(self, listeners: Callable[[], Collection[Listener]]) -> None:
        self._listeners = listeners
        self._last = 0.0
        self._to_ring: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        if self._to_ring is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:      # then nobody waits
            return
        due = self._last + min(PER_WATCHER_S * len(self._listeners()), LONGEST_S)
        if loop.time() >= due:
            self._wake(loop)
        else:
            self._to_ring = loop.call_at(due, self._wake, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        self._to_ring = None
        self._last = loop.time()
        for listener in tuple(self._listeners()):
            listener.wake()
