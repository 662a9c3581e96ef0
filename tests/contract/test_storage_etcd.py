"""The etcd client against a real etcd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from control_plane.storage.compaction import Compactor
from control_plane.storage.connection import Endpoint, open_connection
from control_plane.storage.errors import Compacted, KeyExists, RevisionMismatch, StoreUnavailable, ValueTooLarge
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.etcd_watch import StoreEvent
from kube.process.clock import SystemClock
from tests.support.etcd import RunningEtcd, eventually, running_etcd

pytestmark = pytest.mark.etcd


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[RunningEtcd]:
    async with running_etcd(tmp_path / "etcd") as running:
        yield running


@pytest.fixture
async def store(etcd: RunningEtcd) -> AsyncIterator[EtcdStore]:
    async with EtcdStore.connect([etcd.endpoint], etcd.tls) as opened:
        yield opened


async def collect(store: EtcdStore, start_revision: int, until: str) -> list[StoreEvent]:
    events: list[StoreEvent] = []
    async for batch in store.watch("", start_revision=start_revision):
        events += batch.events
        if any(event.key == until for event in batch.events):
            return events
    raise AssertionError("the watch ended")


async def collect_deletions(store: EtcdStore, count: int) -> list[str]:
    keys: list[str] = []
    async for batch in store.watch("", start_revision=1):
        keys += [event.key for event in batch.events if event.value is None]
        if len(keys) >= count:
            break
    return sorted(keys)


async def test_create_update_delete_are_guarded_by_the_revision(store: EtcdStore) -> None:
    created = await store.create("/registry/pods/a/x", b"1")
    with pytest.raises(KeyExists) as exists:
        await store.create("/registry/pods/a/x", b"2")
    updated = await store.update("/registry/pods/a/x", b"2", expected_revision=created)
    with pytest.raises(RevisionMismatch) as mismatch:
        await store.update("/registry/pods/a/x", b"3", expected_revision=created)
    with pytest.raises(RevisionMismatch):
        await store.delete("/registry/pods/a/x", expected_revision=created)
    deleted = await store.delete("/registry/pods/a/x", expected_revision=updated)
    with pytest.raises(RevisionMismatch) as gone:
        await store.update("/registry/pods/a/x", b"3", expected_revision=updated)

    assert exists.value.current is not None
    assert exists.value.current.value == b"1"
    assert mismatch.value.current is not None
    assert (mismatch.value.current.value, mismatch.value.current.revision) == (b"2", updated)
    assert gone.value.current is None
    assert created < updated < deleted == await store.current_revision()
    assert await store.get("/registry/pods/a/x") is None


async def test_range_pages_through_one_revision(store: EtcdStore) -> None:
    for number in range(5):
        await store.create(f"/registry/pods/a/{number}", b"old")
    await store.create("/registry/podtemplates/a/0", b"another resource")

    first = await store.range("/registry/pods/", limit=2)
    await store.delete("/registry/pods/a/3", expected_revision=first.items[0].revision + 3)
    second = await store.range("/registry/pods/", limit=9, start_after=first.items[-1].key, revision=first.revision)

    assert first.more
    assert not second.more
    assert [item.key[-1] for item in first.items + second.items] == ["0", "1", "2", "3", "4"]


async def test_what_has_a_time_to_live_shares_a_lease_and_goes(store: EtcdStore) -> None:
    for number in range(3):
        await store.create(f"/registry/events/a/{number}", b"{}", ttl_s=1)
    await store.create("/registry/events/a/3", b"{}", ttl_s=1)

    async with asyncio.timeout(60):
        events = await collect(store, 1, "/registry/events/a/3")
        gone = await collect_deletions(store, len(events))

    assert gone == [event.key for event in events]


async def test_a_write_that_is_too_large_is_told_so(store: EtcdStore) -> None:
    with pytest.raises(ValueTooLarge):
        await store.create("/registry/configmaps/a/x", b"x" * 2_000_000)


async def test_mutual_tls_is_required(tmp_path: Path) -> None:
    async with running_etcd(tmp_path / "etcd", tls=True) as etcd, EtcdStore.connect([etcd.endpoint], etcd.tls) as store:
        revision = await store.create("/registry/a", b"1")

        process = await asyncio.create_subprocess_exec(
            "etcdctl", f"--endpoints=https://{etcd.endpoint}", f"--cacert={etcd.directory / 'ca.crt'}", "get", "/registry/a",
            "--command-timeout=1s", env={"ETCDCTL_API": "3", "PATH": "/usr/bin"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()

    assert revision == 2
    assert process.returncode != 0
    assert b"/registry/a" not in output


async def test_an_endpoint_that_is_down_is_passed_over(etcd: RunningEtcd) -> None:
    async with EtcdStore.connect(["127.0.0.1:1", etcd.endpoint]) as store:
        assert await store.create("/registry/a", b"1") == 2
        assert await anext(aiter(store.watch("", start_revision=2)))


async def test_writes_wait_for_an_etcd_that_restarts_and_none_acknowledged_is_lost(etcd: RunningEtcd, store: EtcdStore) -> None:
    acknowledged: dict[str, int] = {}

    async def write(writer: int) -> None:
        for number in range(40):
            key = f"/registry/pods/{writer}/{number}"
            acknowledged[key] = await store.create(key, key.encode())

    writers = asyncio.gather(*(write(writer) for writer in range(5)))
    for written in (20, 120):
        await eventually(lambda: len(acknowledged) >= written)      # noqa: B023
        await etcd.kill()
        await etcd.start()
    await writers

    held = {item.key: item.revision for item in (await store.range("/registry/pods/")).items}
    assert held == acknowledged


async def test_a_watch_across_kill_9_tells_every_event_once_in_order(etcd: RunningEtcd, store: EtcdStore) -> None:
    watching = asyncio.create_task(collect(store, 1, "/registry/end"))
    revisions: list[int] = []

    async def write(writer: int) -> None:
        for number in range(60):
            revisions.append(await store.create(f"/registry/pods/{writer}/{number}", b"{}"))

    writers = asyncio.gather(*(write(writer) for writer in range(4)))
    for written in (20, 120):
        await eventually(lambda: len(revisions) >= written)         # noqa: B023
        await etcd.kill()
        await etcd.start()
    await writers
    end = await store.create("/registry/end", b"")
    async with asyncio.timeout(60):
        events = await watching

    assert [event.revision for event in events] == [*sorted(revisions), end]


async def test_events_of_one_transaction_come_together_however_large(etcd: RunningEtcd, store: EtcdStore) -> None:
    size = 100_000                     # 30 of them are over etcd's response limit, so that the response is fragmented
    for number in range(30):
        await store.create(f"/registry/pods/a/{number}", b"x" * size)
    process = await asyncio.create_subprocess_exec(
        "etcdctl", f"--endpoints={etcd.endpoint}", "del", "--prefix", "/registry/pods/",
        env={"ETCDCTL_API": "3", "PATH": "/usr/bin"}, stdout=asyncio.subprocess.DEVNULL,
    )
    await process.wait()

    seen: list[int] = []
    async for batch in store.watch("", start_revision=2):
        seen += [event.revision for event in batch.events]
        assert batch.events[-1].revision == batch.revision
        if batch.events[-1].value is None:
            assert sum(event.value is None for event in batch.events) == 30
            break

    assert seen == [*range(2, 32), *[32] * 30]


async def test_one_of_two_apiservers_compacts_to_the_round_before(store: EtcdStore) -> None:
    first, second = Compactor(store, SystemClock()), Compactor(store, SystemClock())
    await store.create("/registry/a", b"1")
    for compactor in (first, second):
        await compactor.step()
    seen_by_first = await store.current_revision()
    for number in range(10):
        await store.create(f"/registry/b/{number}", b"1")
    await first.step()
    await second.step()
    for number in range(10):
        await store.create(f"/registry/c/{number}", b"1")

    for _ in range(2):
        await first.step()
        await second.step()

    with pytest.raises(Compacted):
        await anext(aiter(store.watch("", start_revision=seen_by_first)))
    with pytest.raises(Compacted):
        await store.range("/registry/", revision=2)
    assert (await store.range("/registry/c/")).total == 10


class SwallowsAnswers:
    """A KV stub whose first transaction reaches etcd or not, and whose answer never comes back; then `meanwhile` happens."""

    def __init__(self, endpoint: Endpoint, meanwhile: Callable[[], Awaitable[object]], *, executes: bool) -> None:
        self._real, self._meanwhile, self._executes = endpoint.kv, meanwhile, executes
        self._done = False
        endpoint.kv = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def Txn(self, request: Any, timeout: float) -> Any:  # noqa: N802 (gRPC's name)
        if self._done:
            return await self._real.Txn(request, timeout=timeout)
        self._done = True
        if self._executes:
            await self._real.Txn(request, timeout=timeout)
        await self._meanwhile()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details="socket closed")


@asynccontextmanager
async def doubtful(etcd: RunningEtcd, meanwhile: Callable[[], Awaitable[object]], *, executes: bool) -> AsyncIterator[EtcdStore]:
    async with open_connection([etcd.endpoint], etcd.tls) as connection:
        SwallowsAnswers(connection.endpoint, meanwhile, executes=executes)
        yield EtcdStore(connection)


async def nothing() -> None:
    pass


@pytest.mark.parametrize("executes", [True, False])
async def test_a_write_whose_answer_was_lost_is_settled(etcd: RunningEtcd, store: EtcdStore, *, executes: bool) -> None:
    held = await store.create("/registry/held", b"0")

    async with doubtful(etcd, nothing, executes=executes) as doubting:
        created = await doubting.create("/registry/new", b"uid")
    async with doubtful(etcd, nothing, executes=executes) as doubting:
        await doubting.delete("/registry/held", expected_revision=held)

    found = await store.get("/registry/new")
    assert found is not None
    assert (found.revision, await store.get("/registry/held")) == (created, None)


async def test_an_update_that_was_not_sent_or_not_done_is_done_once(etcd: RunningEtcd, store: EtcdStore) -> None:
    held = await store.create("/registry/held", b"0")

    async with doubtful(etcd, nothing, executes=False) as doubting:
        await doubting.update("/registry/held", b"1", expected_revision=held)

    assert (await store.range("/registry/held")).items[0].value == b"1"


@pytest.mark.parametrize(("executes", "theirs"), [
    pytest.param(False, b"1", id="another wrote the same"), pytest.param(False, b"2", id="another wrote else"),
    pytest.param(True, b"2", id="ours, then another's"), pytest.param(True, None, id="ours"),
])
async def test_no_update_is_taken_for_ours_that_may_be_anothers(
    etcd: RunningEtcd, store: EtcdStore, executes: bool, theirs: bytes | None,
) -> None:
    held = await store.create("/registry/held", b"0")

    async def another() -> None:
        if theirs is not None and (now := await store.get("/registry/held")):
            await store.update("/registry/held", theirs, expected_revision=now.revision)

    with pytest.raises(StoreUnavailable, match="nobody knows"):
        async with doubtful(etcd, another, executes=executes) as doubting:
            await doubting.update("/registry/held", b"1", expected_revision=held)


async def test_what_was_created_anew_is_not_deleted_in_doubt(etcd: RunningEtcd, store: EtcdStore) -> None:
    held = await store.create("/registry/held", b"old")

    async def again() -> None:
        await store.create("/registry/held", b"new")

    with pytest.raises(StoreUnavailable, match="nobody knows"):
        async with doubtful(etcd, again, executes=True) as doubting:
            await doubting.delete("/registry/held", expected_revision=held)

    found = await store.get("/registry/held")
    assert found is not None
    assert found.value == b"new"


async def test_what_another_created_or_changed_is_told_so(etcd: RunningEtcd, store: EtcdStore) -> None:
    held = await store.create("/registry/held", b"0")

    async def create() -> None:
        await store.create("/registry/new", b"theirs")

    async def change() -> None:
        await store.update("/registry/held", b"1", expected_revision=held)

    with pytest.raises(KeyExists):
        async with doubtful(etcd, create, executes=False) as doubting:
            await doubting.create("/registry/new", b"ours")
    with pytest.raises(RevisionMismatch):
        async with doubtful(etcd, change, executes=False) as doubting:
            await doubting.delete("/registry/held", expected_revision=held)
