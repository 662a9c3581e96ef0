"""Work until an event: its result, its failure, its cancellation; and nothing of it goes on afterwards."""

from __future__ import annotations

import asyncio

import pytest

from kube.process.tasks import run_until, until


async def test_work_that_is_done_first_gives_its_result() -> None:
    async def work() -> str:
        return "done"

    async with until(asyncio.Event(), work(), name="work") as working:
        assert await working == "done"


async def test_work_that_fails_first_raises() -> None:
    async def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await run_until(asyncio.Event(), work(), name="work")


async def test_an_event_that_is_first_ends_the_work_and_waits_for_its_end() -> None:
    stop, steps = asyncio.Event(), []

    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    assert not await run_until(stop, work(), name="work")
    assert steps == ["cleaned up"]


async def test_who_is_cancelled_while_it_waits_takes_the_work_along() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(run_until(asyncio.Event(), work(), name="work"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled() and ended.is_set()
