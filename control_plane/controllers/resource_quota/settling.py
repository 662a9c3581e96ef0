"""When a count can be trusted.

The apiserver charges a quota first and writes the object then. Who counts in between misses the object, and what he writes lets in one
too many. So a quota is counted only when nobody has charged it for a moment. Where somebody always does, it is counted all the same
every few minutes, as upstream counts: what leaked must come back one day.
"""

from __future__ import annotations

from typing import Final

from kube.apimachinery.meta import NamespacedName
from kube.process.clock import Clock

SETTLE_S: Final = 1.0        # from a charge until the object is in every informer, with much to spare
PATIENCE_S: Final = 300.0


class Settling:
    def __init__(self, clock: Clock, settle_s: float = SETTLE_S, patience_s: float = PATIENCE_S) -> None:
        self._clock = clock
        self.settle_s = settle_s
        self._patience_s = patience_s
        self._charged: dict[NamespacedName, tuple[float, float]] = {}      # first time since the last count, last time

    def charged(self, key: NamespacedName) -> None:
        """Somebody else has written the quota."""
        now = self._clock.monotonic()
        self._charged[key] = self._charged.get(key, (now, now))[0], now

    def wait_s(self, key: NamespacedName) -> float:
        """0: count now."""
        if key not in self._charged:
            return 0.0
        now, (first, last) = self._clock.monotonic(), self._charged[key]
        return max(min(last + self.settle_s, first + self._patience_s) - now, 0.0)

    def forget(self, key: NamespacedName) -> None:
        """It was counted, or is gone."""
        self._charged.pop(key, None)
