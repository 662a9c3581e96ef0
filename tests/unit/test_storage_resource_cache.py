"""How long the events of one resource are remembered."""

from __future__ import annotations

import pytest

from control_plane.storage.etcd_watch import StoreEvent
from control_plane.storage.resource_cache import FRESH_S, KEPT_EVENTS, ResourceCache
from control_plane.storage.subscription import CacheEvent
from kube.apimachinery.errors import Expired
from kube.apimachinery.resources import SCHEME


class Filled:
    """`count` changes of one Pod, at revisions 1, 2, ..., a second apart."""

    def __init__(self, count: int) -> None:
        pods = SCHEME.for_path("", "v1", "pods")
        assert pods is not None
        self.now = 0.0
        self.cache = ResourceCache(pods, events=10_000, queue_limit=10, now=lambda: self.now)
        self.cache.reset({}, 0)
        for revision in range(1, count + 1):
            self.now = float(revision)
            self.cache.apply(StoreEvent("/registry/pods/d/p", b'{"metadata":{"name":"p"}}', revision, revision == 1), "d/p")

    def resumes(self, since: int) -> bool:
        try:
            self.cache.subscribe(since, "", lambda: 10_000).close()
        except Expired:
            return False
        return True


def test_what_is_stale_is_forgotten_and_what_is_fresh_is_not() -> None:
    filled = Filled(500)

    filled.cache.forget_stale()
    assert not filled.resumes(500 - KEPT_EVENTS - 1)
    assert filled.resumes(500 - KEPT_EVENTS)

    fresh = Filled(KEPT_EVENTS + 1)
    fresh.now = FRESH_S
    fresh.cache.forget_stale()
    assert fresh.resumes(0)


@pytest.mark.parametrize("later", [0.0, 10 * FRESH_S])
def test_a_few_events_are_kept_whatever_their_age(later: float) -> None:
    filled = Filled(KEPT_EVENTS)
    filled.now += later

    filled.cache.forget_stale()

    assert filled.resumes(0)


def test_objects_are_found_by_a_field_as_it_changes() -> None:
    pods = SCHEME.for_path("", "v1", "pods")
    assert pods is not None
    cache = ResourceCache(pods, events=10, queue_limit=10)
    revision = 0

    def put(key: str, node: str | None) -> None:
        nonlocal revision
        revision += 1
        value = None if node is None else f'{{"metadata":{{}},"spec":{{"nodeName":"{node}"}}}}'.encode()
        cache.apply(StoreEvent(f"/registry/pods/{key}", value, revision, created=False), key)

    def on(node: str, namespace: str = "") -> list[str]:
        found = cache.objects_with("spec.nodeName", node, lambda item: str(item.obj["spec"]["nodeName"]), namespace)
        return [item.key for item in found]

    put("d/a", "n1")
    put("d/b", "n2")
    assert (on("n1"), on("n2"), on("n3")) == (["d/a"], ["d/b"], [])
    put("e/c", "n1")
    put("d/b", "n1")
    assert (on("n1"), on("n1", "d"), on("n2")) == (["d/a", "d/b", "e/c"], ["d/a", "d/b"], [])
    put("d/a", None)
    put("d/b", "n2")
    assert (on("n1"), on("n2")) == (["e/c"], ["d/b"])
    cache.reset({}, revision)
    assert on("n1") == []


def test_an_index_that_cannot_take_an_event_begins_anew_and_keeps_nobody_from_theirs() -> None:
    filled = Filled(0)
    seen: list[str] = []

    def on_event(event: CacheEvent) -> None:
        raise KeyError(event.object.name)

    filled.cache.observe(on_event, lambda objects: seen.append(f"all {len(list(objects))}"))
    filled.cache.observe(lambda event: seen.append(event.object.name), lambda _: None)
    filled.cache.apply(StoreEvent("/registry/pods/d/p", b'{"metadata":{"name":"p"}}', 1, True), "d/p")
    filled.cache.observe(lambda _: None, lambda _: None)

    assert seen == ["all 0", "all 1", "p"]
    assert filled.resumes(0)
