"""One call about a volume at a time, whoever comes while another leaves."""

from __future__ import annotations

import asyncio

from node_agent.volumes.persistent.locks import KeyedLocks


async def test_those_of_one_key_take_turns_and_leave_nothing() -> None:
    locks, inside, most = KeyedLocks(), 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with locks.holding("v"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))

    assert most == 1
    assert not locks._entries


async def test_another_key_does_not_wait() -> None:
    locks = KeyedLocks()
    async with locks.holding("v"), asyncio.timeout(10), locks.holding("w"):
        pass


async def test_who_gives_up_waiting_is_forgotten() -> None:
    locks = KeyedLocks()
    async with locks.holding("v"):
        waiting = asyncio.create_task(locks.holding("v").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(10), locks.holding("v"):
        pass
    assert not locks._entries
