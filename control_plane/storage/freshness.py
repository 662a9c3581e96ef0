"""One question, asked once for everybody who waits for its answer.

An answer counts only for those who asked before the question went out: whoever comes while one is under way waits for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class SharedQuestion:
    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._running: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def answer(self) -> int:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._ask_after(self._running), name="current revision")
        # A reader that is cancelled must not take the question away from the others.
        return await asyncio.shield(self._next)

    async def _ask_after(self, before: asyncio.Task[int] | None) -> int:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await self._ask()
