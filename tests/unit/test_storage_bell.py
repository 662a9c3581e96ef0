"""Watchers are woken at once after a pause, and together when events come thick."""

from __future__ import annotations

import pytest

from control_plane.apiserver.registry.watching import SharedBatches
from control_plane.storage import bell
from control_plane.storage.bell import Bell
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.subscription import CacheEvent
from kube.apimachinery.resources import SCHEME
from tests.support.etcd import eventually


class Listener:
    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


async def test_the_first_ring_is_heard_at_once_and_the_next_ones_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "PER_WATCHER_S", 1.0)      # no machine pauses for so long between two lines
    monkeypatch.setattr(bell, "LONGEST_S", 1.0)
    listeners = [Listener(), Listener()]
    rung = Bell(lambda: listeners)

    rung.ring()
    assert [one.woken for one in listeners] == [1, 1]
    for _ in range(5):
        rung.ring()
    assert [one.woken for one in listeners] == [1, 1]
    await eventually(lambda: listeners[0].woken == 2)
    assert [one.woken for one in listeners] == [2, 2]


def test_watchers_of_the_same_events_share_a_batch() -> None:
    pods = SCHEME.for_path("", "v1", "pods")
    assert pods is not None
    held = CachedObject(pods, "d/p", b'{"metadata":{"name":"p"}}', 1)
    events = [CacheEvent("MODIFIED", held, held, revision) for revision in range(3)]
    shared = SharedBatches()

    first = shared.told(list(events))

    assert shared.told(list(events)) is first
    assert shared.told(events[1:]) is not first
    assert [one.item for one in first] == [held] * 3
