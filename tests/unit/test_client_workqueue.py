"""The work queue's promises."""

import asyncio

import pytest

from kube.client.workqueue import ShutDown, TokenBucket, WorkQueue, retry_delay_s


async def test_ten_additions_of_a_waiting_key_cost_one_get() -> None:
    queue: WorkQueue[str] = WorkQueue("q1")
    for _ in range(10):
        queue.add("a")

    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_key_added_while_processed_comes_again_after_done_and_not_before() -> None:
    queue: WorkQueue[str] = WorkQueue("q2")
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0

    queue.done("a")

    assert await queue.get() == "a"


async def test_keys_come_in_the_order_of_their_addition() -> None:
    queue: WorkQueue[str] = WorkQueue("q3")
    for key in ("c", "a", "b", "a"):
        queue.add(key)

    assert [await queue.get() for _ in range(3)] == ["c", "a", "b"]


async def test_of_two_delays_for_one_key_the_shorter_holds() -> None:
    queue: WorkQueue[str] = WorkQueue("q4")
    queue.add_after("a", 30)
    queue.add_after("a", 0.01)
    queue.add_after("a", 60)

    async with asyncio.timeout(60):
        assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_cancelled_waiter_passes_its_turn_on() -> None:
    queue: WorkQueue[str] = WorkQueue("q5")
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()

    async with asyncio.timeout(60):
        assert await second == "a"


async def test_shut_down_hands_out_what_is_queued_then_ends() -> None:
    queue: WorkQueue[str] = WorkQueue("q6")
    queue.add("a")
    queue.shut_down()
    queue.add("b")

    assert await queue.get() == "a"
    with pytest.raises(ShutDown):
        await queue.get()


async def test_failures_are_counted_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue("q7")
    queue.add_rate_limited("a")
    queue.add_rate_limited("a")
    assert queue.num_requeues("a") == 2

    queue.forget("a")

    assert queue.num_requeues("a") == 0


@pytest.mark.parametrize(("failures", "delay_s"), [(0, 0.005), (1, 0.01), (10, 5.12), (30, 1000.0)])
def test_retry_delay_doubles_up_to_its_cap(failures: int, delay_s: float) -> None:
    assert retry_delay_s(failures) == pytest.approx(delay_s)


def test_token_bucket_lets_a_burst_through_then_spaces_calls() -> None:
    bucket = TokenBucket(rate=10, burst=2)

    assert [bucket.reserve(100.0) for _ in range(4)] == pytest.approx([0, 0, 0.1, 0.2])
