"""When a count can be trusted.

The apiserver charges a quota first and writes the object then. Who counts in between misses the object, and what he writes lets in one
too many. So a quota is counted only when nobody has charged it for a moment; who waits for something to be given back waits no longer
than `patience_s`, though.
"""

from __future__ import annotations

from typing import Final

from kube.apimachinery.meta import NamespacedName
from kube.process.clock import Clock

SETTLE_S: Final = 1.0        # from a charge until the object is in every informer, with much to spare
PATIENCE_S: Final = 5.0


class Settling:
    def __init__(self, clock: Clock, settle_s: float = SETTLE_S, patience_s: float = PATIENCE_S) -> None:
        self._clock = clock
        self.settle_s = settle_s
        self._patience_s = patience_s
        self._charged: dict[NamespacedName, float] = {}
        self._wanted: dict[NamespacedName, float] = {}

    def charged(self, key: NamespacedName) -> None:
        """Somebody else has written the quota."""
        self._charged[key] = self._clock.monotonic()

    def freed(self, key: NamespacedName) -> None:
        """Something is gone that the quota counts."""
        self._wanted.setdefault(key, self._clock.monotonic())

    def wait_s(self, key: NamespacedName) -> float:
        """0: count now."""
        if key not in self._charged:
            return 0.0
        now = self._clock.monotonic()
        wait_s = self._charged[key] + self.settle_s - now
        if key in self._wanted:
            wait_s = min(wait_s, self._wanted[key] + self._patience_s - now)
        return max(wait_s, 0.0)

    def counting(self, key: NamespacedName) -> None:
        """From here on what is freed is to be counted again."""
        self._wanted.pop(key, None)

    def forget(self, key: NamespacedName) -> None:
        self._charged.pop(key, None)
        self._wanted.pop(key, None)
