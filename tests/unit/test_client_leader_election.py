"""Of several candidates one leads; another takes over when it falls silent, and at once when it lets go."""

from __future__ import annotations

import asyncio

import pytest

from kube.api.coordination_v1 import Lease
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.leader_election import LeaderElectionConfig, LeaderElector, LeadershipLost
from tests.support.memory_transport import MemoryTransport

KEY = NamespacedName("kube-system", "kube-scheduler")
FAST = LeaderElectionConfig(lease_duration_s=1.0, renew_deadline_s=0.5, retry_period_s=0.05)
PATIENT = LeaderElectionConfig(lease_duration_s=600.0, renew_deadline_s=500.0, retry_period_s=0.05)
NEVER_AGAIN = LeaderElectionConfig(lease_duration_s=4000.0, renew_deadline_s=3900.0, retry_period_s=3000.0)


async def hold() -> None:
    await asyncio.Event().wait()


async def until(holds: object) -> None:
    async with asyncio.timeout(60):
        while not holds():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_free_lease_is_taken_at_once_and_freed_at_the_end() -> None:
    client = Client(MemoryTransport())
    led = asyncio.Event()

    async def work() -> None:
        led.set()

    async with asyncio.timeout(60):
        await LeaderElector(client, KEY, "a", NEVER_AGAIN).run(work)

    assert led.is_set()
    assert (await client.get(Lease, KEY)).spec.holder_identity in ("", None)


async def test_a_second_candidate_waits_and_takes_over_when_the_first_lets_go() -> None:
    client = Client(MemoryTransport())
    first, second = LeaderElector(client, KEY, "a", PATIENT), LeaderElector(client, KEY, "b", PATIENT)
    leading = asyncio.create_task(first.run(hold))
    await until(lambda: first.is_leader)
    waiting = asyncio.create_task(second.run(hold))
    await asyncio.sleep(0.2)
    assert not second.is_leader

    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    await until(lambda: second.is_leader)

    spec = (await client.get(Lease, KEY)).spec
    assert (spec.holder_identity, spec.lease_transitions) == ("b", 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_silent_leader_is_replaced_after_the_leases_duration() -> None:
    transport = MemoryTransport()
    client = Client(transport)
    gone = LeaderElector(client, KEY, "a", FAST)
    assert await gone._try_acquire_or_renew()       # took the lease, then died without a word
    second = LeaderElector(client, KEY, "b", FAST)
    loop = asyncio.get_running_loop()
    started = loop.time()
    waiting = asyncio.create_task(second.run(hold))

    await until(lambda: second.is_leader)

    assert loop.time() - started >= 0.9
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_leader_that_cannot_renew_stops_its_work_before_another_may_start() -> None:
    transport = MemoryTransport()
    elector = LeaderElector(Client(transport), KEY, "a", FAST)
    stopped = asyncio.Event()

    async def work() -> None:
        try:
            await hold()
        finally:
            stopped.set()

    leading = asyncio.create_task(elector.run(work))
    await until(lambda: elector.is_leader)
    transport.failures = [errors.ServiceUnavailable("down")] * 1000

    with pytest.raises(LeadershipLost):
        async with asyncio.timeout(60):
            await leading

    assert stopped.is_set()
    assert not elector.is_leader


@pytest.mark.parametrize("wrong", [
    {"lease_duration_s": 10.0, "renew_deadline_s": 10.0}, {"renew_deadline_s": 2.0, "retry_period_s": 2.0},
])
def test_times_that_would_let_two_lead_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be above"):
        LeaderElectionConfig(**wrong)
