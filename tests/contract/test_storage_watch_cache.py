"""The watch cache over a real etcd."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from control_plane.storage.cached_object import CachedObject, encode_value
from control_plane.storage.errors import KeyExists, RevisionMismatch, StoreUnavailable
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.freshness import SharedQuestion
from control_plane.storage.keys import object_key
from control_plane.storage.subscription import CacheEvent, Subscription
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import Expired, Timeout
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType
from tests.support.etcd import RunningEtcd, eventually, linked, running_etcd

pytestmark = pytest.mark.etcd


def row(group: str, version: str, plural: str) -> ResourceType:
    found = SCHEME.for_path(group, version, plural)
    assert found is not None
    return found


PODS = row("", "v1", "pods")
NODES = row("", "v1", "nodes")
SERVICES = row("", "v1", "services")


def pod(namespace: str, name: str, **labels: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": labels}}


async def put(store: EtcdStore, obj: JsonObject, resource: ResourceType = PODS, expected_revision: int = 0) -> int:
    key = object_key(resource, NamespacedName.of(obj))
    if not expected_revision:
        return await store.create(key, encode_value(resource, obj))
    return await store.update(key, encode_value(resource, obj), expected_revision=expected_revision)


async def remove(store: EtcdStore, namespace: str, name: str, revision: int) -> int:
    return await store.delete(object_key(PODS, NamespacedName(namespace, name)), expected_revision=revision)


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[RunningEtcd]:
    async with running_etcd(tmp_path / "etcd") as running:
        yield running


@pytest.fixture
async def store(etcd: RunningEtcd) -> AsyncIterator[EtcdStore]:
    async with EtcdStore.connect([etcd.endpoint], etcd.tls) as opened:
        yield opened


@asynccontextmanager
async def open_cache(store: EtcdStore, *, events: int = 1000, queue: int = 10_000) -> AsyncIterator[WatchCache]:
    cache = WatchCache(store, SCHEME, events_per_resource=events, queue_limit=queue)
    running = asyncio.create_task(cache.run())
    try:
        await asyncio.wait_for(cache.wait_ready(), 60)
        yield cache
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
async def cache(store: EtcdStore) -> AsyncIterator[WatchCache]:
    async with open_cache(store) as opened:
        yield opened


async def take(subscription: Subscription, until: Callable[[list[CacheEvent]], bool]) -> list[CacheEvent]:
    events: list[CacheEvent] = []
    async with asyncio.timeout(60):
        while not until(events):
            batch = await subscription.next_batch()
            assert batch, "the subscription ended"
            events += batch
    return events


async def test_a_fresh_read_shows_every_write_acknowledged_before(store: EtcdStore, cache: WatchCache) -> None:
    for number in range(200):
        revision = await put(store, pod("default", f"p{number}"))
        await cache.fresh()
        held = cache.get(PODS, NamespacedName("default", f"p{number}"))

        assert held is not None
        assert held.revision == revision
        assert held.obj["metadata"]["resourceVersion"] == str(revision)


async def test_concurrent_readers_share_a_question_asked_after_them() -> None:
    asked: list[asyncio.Future[int]] = []

    async def ask() -> int:
        asked.append(asyncio.get_running_loop().create_future())
        return await asked[-1]

    question = SharedQuestion(ask)
    early = [asyncio.create_task(question.answer()) for _ in range(10)]
    await eventually(lambda: len(asked) == 1)
    late = [asyncio.create_task(question.answer()) for _ in range(10)]       # the first answer may be older than these readers
    early[0].cancel()
    asked[0].set_result(1)
    await eventually(lambda: len(asked) == 2)
    asked[1].set_result(2)

    assert await asyncio.gather(*early[1:]) == [1] * 9
    assert await asyncio.gather(*late) == [2] * 10


async def test_lists_are_sorted_by_key_and_by_namespace(store: EtcdStore, cache: WatchCache) -> None:
    for namespace, name in (("b", "z"), ("a", "y"), ("a-b", "x"), ("a", "a"), ("a0", "q")):
        await put(store, pod(namespace, name))
    await put(store, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}}, NODES)
    await put(store, {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "a", "name": "s"}}, SERVICES)
    revision = await cache.fresh()

    everything, shown = cache.list(PODS)
    assert [item.key for item in everything] == ["a-b/x", "a/a", "a/y", "a0/q", "b/z"]
    assert shown == revision
    assert [item.name for item in cache.list(PODS, "a")[0]] == ["a", "y"]
    assert [item.key for item in cache.list(NODES)[0]] == ["node1"]
    assert (await store.get("/registry/minions/node1")) is not None
    assert (await store.get("/registry/services/specs/a/s")) is not None


async def test_an_object_is_encoded_once_per_version(store: EtcdStore, cache: WatchCache) -> None:
    revision = await put(store, pod("default", "a"))
    await cache.fresh()
    held = cache.get(PODS, NamespacedName("default", "a"))

    assert held is not None
    assert msgspec.json.decode(held.encoded("v1"))["metadata"]["resourceVersion"] == str(revision)
    assert held.encoded("v1") is held.encoded("v1")


async def test_a_watch_tells_what_happened_after_its_revision(store: EtcdStore, cache: WatchCache) -> None:
    first = await put(store, pod("default", "a"))
    await put(store, pod("other", "b"))
    second = await put(store, pod("default", "a", app="x"), expected_revision=first)
    await cache.fresh()
    with cache.subscribe(PODS, since=first, namespace="default") as subscription:
        third = await remove(store, "default", "a", second)
        events = await take(subscription, lambda got: len(got) == 2)

    assert [(event.type, event.revision) for event in events] == [("MODIFIED", second), ("DELETED", third)]
    assert events[1].object.obj["metadata"] | {"labels": None} == {
        "namespace": "default", "name": "a", "labels": None, "resourceVersion": str(third),
    }
    assert events[1].previous is not None
    assert events[1].previous.revision == second


async def test_a_watch_from_nothing_starts_with_what_is_there(store: EtcdStore, cache: WatchCache) -> None:
    await put(store, pod("default", "a"))
    await cache.fresh()
    with cache.subscribe(PODS, since=None) as subscription:
        await put(store, pod("default", "b"))
        events = await take(subscription, bool)

    assert [item.name for item in subscription.initial] == ["a"]
    assert [event.object.name for event in events] == ["b"]


async def test_bookmarks_move_on_with_events_of_other_resources(store: EtcdStore, cache: WatchCache) -> None:
    with cache.subscribe(PODS, since=cache.revision) as subscription:
        await put(store, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}}, NODES)
        after_node = await cache.fresh()
        assert subscription.progress_revision == after_node
        after_pod = await put(store, pod("default", "a"))
        await cache.fresh()

        assert subscription.progress_revision == after_node
        await subscription.next_batch()
        assert subscription.progress_revision == after_pod


async def test_a_revision_older_than_the_ring_is_expired(store: EtcdStore) -> None:
    async with open_cache(store, events=5) as cache:
        revisions = [await put(store, pod("default", f"p{number}")) for number in range(8)]
        await cache.fresh()

        with pytest.raises(Expired, match=rf"^too old resource version: {revisions[1]} \({revisions[2]}\)$"):
            cache.subscribe(PODS, since=revisions[1])
        with cache.subscribe(PODS, since=revisions[2]) as subscription:
            assert [event.revision for event in await subscription.next_batch()] == revisions[3:]


async def test_a_revision_that_is_not_there_yet_is_too_large(cache: WatchCache) -> None:
    current = cache.revision
    with pytest.raises(Timeout, match=f"^Timeout: Too large resource version: {current + 100}, current: {current}$"):
        await cache.wait_for(current + 100)


async def test_a_watcher_that_does_not_read_is_dropped(store: EtcdStore) -> None:
    async with open_cache(store, queue=10) as cache:
        with cache.subscribe(PODS, since=cache.revision) as slow:
            for number in range(12):
                await put(store, pod("default", f"p{number}"))
            await cache.fresh()

            assert slow.dropped
            assert await slow.next_batch() == []


async def test_an_index_hears_before_any_watcher(store: EtcdStore, cache: WatchCache) -> None:
    names: list[str] = []
    await put(store, pod("default", "a"))
    await cache.fresh()

    def reset(objects: Iterable[CachedObject]) -> None:
        names.extend(item.name for item in objects)

    cache.observe(PODS, lambda event: names.append(event.object.name), reset)
    with cache.subscribe(PODS, since=cache.revision) as subscription:
        await put(store, pod("default", "b"))
        await take(subscription, bool)

    assert names == ["a", "b"]


async def write_at_random(store: EtcdStore, writer: int, rounds: int) -> None:
    """Creates, changes and deletes the same few Pods as the other writers do."""
    choice = random.Random(writer)
    for _ in range(rounds):
        name = f"p{choice.randrange(10)}"
        stored = await store.get(object_key(PODS, NamespacedName("default", name)))
        with suppress(KeyExists, RevisionMismatch, StoreUnavailable):       # another writer was first, or nobody knows
            if stored is None:
                await put(store, pod("default", name, writer=str(writer)))
            elif choice.random() < 0.3:
                await remove(store, "default", name, stored.revision)
            else:
                await put(store, pod("default", name, writer=str(writer)), expected_revision=stored.revision)


async def test_two_caches_agree_across_kill_9_and_lose_and_repeat_nothing(etcd: RunningEtcd, store: EtcdStore) -> None:
    async with EtcdStore.connect([etcd.endpoint]) as other_store, open_cache(store) as one, open_cache(other_store) as two:
        seen: list[list[CacheEvent]] = [[], []]
        with one.subscribe(PODS, since=one.revision) as first, two.subscribe(PODS, since=two.revision) as second:
            writers = asyncio.gather(*(write_at_random(store, writer, 60) for writer in range(4)))
            for revision in (50, 120):
                await eventually(lambda: one.revision > revision)      # noqa: B023
                await etcd.kill()
                await etcd.start()
            await writers
            end = await put(store, pod("default", "end"))
            for events, subscription in zip(seen, (first, second), strict=True):
                events += await take(subscription, lambda got: bool(got) and got[-1].revision == end)
        await asyncio.gather(one.fresh(), two.fresh())

        history = [(event.type, event.object.key, event.revision) for event in seen[0]]
        assert history == [(event.type, event.object.key, event.revision) for event in seen[1]]
        assert [at for *_, at in history] == list(range(2, end + 1))    # every revision was one Pod's
        replayed: dict[str, int] = {}
        for kind, key, at in history:
            assert (key in replayed) is (kind != "ADDED")
            replayed[key] = at
            if kind == "DELETED":
                del replayed[key]
        for cache in (one, two):
            assert replayed == {item.key: item.revision for item in cache.list(PODS)[0]}


async def test_a_watch_resumes_from_the_last_revision_without_loss(store: EtcdStore, cache: WatchCache) -> None:
    start = cache.revision
    writers = asyncio.gather(*(write_at_random(store, writer, 60) for writer in range(4)))
    revisions: list[int] = []
    last = start
    while not writers.done():
        with cache.subscribe(PODS, since=last) as subscription:      # and closed again after one batch
            if batch := await asyncio.wait_for(subscription.next_batch(), 60):
                revisions += [event.revision for event in batch]
                last = batch[-1].revision
        if revisions and last == cache.revision:
            await put(store, pod("resume", f"more-{len(revisions)}"))
    end = await cache.fresh()
    with cache.subscribe(PODS, since=last) as subscription:
        if last < end:
            revisions += [event.revision for event in await subscription.next_batch()]

    assert revisions == list(range(start + 1, end + 1))


async def test_after_a_compaction_that_overtook_it_the_cache_loads_again(etcd: RunningEtcd, store: EtcdStore) -> None:
    first = await put(store, pod("default", "a"))
    async with linked(etcd) as link, EtcdStore.connect([link.endpoint]) as far_store, open_cache(far_store) as cache:
        subscription = cache.subscribe(PODS, since=cache.revision)
        await link.cut()
        second = await put(store, pod("default", "a", app="x"), expected_revision=first)
        third = await put(store, pod("default", "b"))
        await store.compact(third)
        await link.mend()

        assert await subscription.next_batch() == []
        assert subscription.dropped
        assert await cache.fresh() == third
        assert [(item.name, item.revision) for item in cache.list(PODS)[0]] == [("a", second), ("b", third)]
        with pytest.raises(Expired):
            cache.subscribe(PODS, since=first)


async def test_a_broken_connection_without_compaction_costs_watchers_nothing(etcd: RunningEtcd, store: EtcdStore) -> None:
    async with linked(etcd) as link, EtcdStore.connect([link.endpoint]) as far_store, open_cache(far_store) as cache:
        with cache.subscribe(PODS, since=cache.revision) as subscription:
            revisions: list[int] = []
            for number in range(5):
                await link.cut()
                revisions += [await put(store, pod("default", f"p{number}-{name}")) for name in "ab"]
                await link.mend()
            events = await take(subscription, lambda got: len(got) >= len(revisions))

        assert [event.revision for event in events] == revisions


async def test_an_etcd_that_went_back_in_time_is_noticed(etcd: RunningEtcd, store: EtcdStore, cache: WatchCache) -> None:
    for number in range(5):
        await put(store, pod("default", f"p{number}"))
    await cache.fresh()
    await etcd.kill()
    (etcd.directory / "data").rename(etcd.directory / "lost")
    await etcd.start()
    revision = await put(store, pod("default", "only"))

    await eventually(lambda: cache.revision != revision)
    await cache.fresh()

    assert [item.name for item in cache.list(PODS)[0]] == ["only"]
    assert cache.revision == revision
