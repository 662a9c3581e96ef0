"""Waiting longer after each failure. Follows client-go's flowcontrol.Backoff, as the kubelet uses it: 10 s doubling to 5 min."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Entry:
    wait_s: float
    updated_at: float


class Backoff:
    """Per key. Times are seconds on any one clock; a key that rested twice the maximum starts anew."""

    def __init__(self, initial_s: float = 10.0, maximum_s: float = 300.0) -> None:
        self._initial_s = initial_s
        self._maximum_s = maximum_s
        self._entries: dict[str, _Entry] = {}

    def wait_s(self, key: str) -> float:
        """The wait now in force, whether or not it is over; 0 for a key without failures."""
        entry = self._entries.get(key)
        return entry.wait_s if entry else 0.0

    def remaining_s(self, key: str, since: float, now: float) -> float:
        """How long the key still has to wait when its failure happened at `since`."""
        entry = self._entries.get(key)
        if entry is None or since - entry.updated_at > 2 * self._maximum_s:
            return 0.0
        return max(0.0, since + entry.wait_s - now)

    def next(self, key: str, now: float, failed_at: float | None = None) -> None:
        """One more failure, or one more try after a failure (of `failed_at`)."""
        entry = self._entries.get(key)
        if entry is None or (now if failed_at is None else failed_at) - entry.updated_at > 2 * self._maximum_s:
            self._entries[key] = _Entry(self._initial_s, now)
        else:
            entry.wait_s = min(entry.wait_s * 2, self._maximum_s)
            entry.updated_at = now

    def forget(self, prefix: str) -> None:
        """Drops every key that begins so (a Pod's)."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]
