"""Work that something else may overtake: a stop signal, the end of a Pod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def until(event: asyncio.Event, work: Coroutine[Any, Any, T], *, name: str) -> AsyncIterator[asyncio.Task[T]]:
    """Begins the work, and gives its task once that is done or the event is set, whatever comes first. With the context it ends."""
    working = asyncio.create_task(work, name=name)
    waiting = asyncio.create_task(event.wait(), name=f"{name}: overtaken")
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        yield working
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


async def run_until(event: asyncio.Event, work: Coroutine[Any, Any, object], *, name: str) -> bool:
    """Whether the work ended before the event was set; if not, it is cancelled, and how it then ends is nobody's concern any more.

    Raises what the work raised before.
    """
    async with until(event, work, name=name) as working:
        if working.done():
            working.result()
        return working.done()
