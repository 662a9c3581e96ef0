"""Creations and deletions that were sent and not yet seen in the cache.

Without them a controller that creates three Pods and looks again before its watch has told of them would create three more.
Follows client-go's UIDTrackingControllerExpectations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kube.apimachinery.meta import NamespacedName

EXPIRY_S: Final = 300.0     # an event that has not come by then never will; act on what is seen


@dataclass(slots=True)
class _Expected:
    since: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    def __init__(self) -> None:
        self._held: dict[NamespacedName, _Expected] = {}

    def satisfied(self, key: NamespacedName, now: float) -> bool:
        held = self._held.get(key)
        return held is None or (held.creations <= 0 and not held.deletions) or now - held.since > EXPIRY_S

    def expect(self, key: NamespacedName, now: float, *, creations: int = 0, deletions: tuple[str, ...] = ()) -> None:
        """`deletions` are uids."""
        self._held[key] = _Expected(now, creations, set(deletions))

    def created(self, key: NamespacedName) -> None:
        """Seen, or failed."""
        if held := self._held.get(key):
            held.creations -= 1

    def deleted(self, key: NamespacedName, uid: str) -> None:
        """Seen, or failed."""
        if held := self._held.get(key):
            held.deletions.discard(uid)

    def forget(self, key: NamespacedName) -> None:
        self._held.pop(key, None)
