"""How long the events of one resource are remembered."""

from __future__ import annotations

import pytest

from control_plane.storage.etcd_watch import StoreEvent
from control_plane.storage.resource_cache import FRESH_S, KEPT_EVENTS, ResourceCache
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
