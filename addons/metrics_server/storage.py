"""The last two points of every node and container, and what was used between them. Pure. Follows metrics-server's storage.

A container that has run for less than a resolution needs one point only: it began with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

FRESH_S = 10.0              # a container's first point counts only if it has run for so long


class Point(NamedTuple):
    at: float               # seconds since 1970
    cpu_ns: int             # since the start
    memory_bytes: int
    started_at: float = 0.0


class Usage(NamedTuple):
    """Up to `at`, over `window_s`."""

    at: float
    window_s: float
    cpu_nano: int           # billionths of a core
    memory_bytes: int


PodKey = tuple[str, str]    # namespace, name
Containers = Mapping[str, Point]


@dataclass(slots=True)
class Batch:
    """What one round of scraping has brought."""

    nodes: dict[str, Point] = field(default_factory=dict)
    pods: dict[PodKey, dict[str, Point]] = field(default_factory=dict)


class Storage:
    def __init__(self, resolution_s: float) -> None:
        self._resolution_s = resolution_s
        self._last = Batch()
        self._previous = Batch()

    def store(self, new: Batch) -> None:
        """What is not in it is forgotten."""
        previous = Batch()
        for name, point in new.nodes.items():
            if (earlier := _earlier(point, self._last.nodes.get(name), self._previous.nodes.get(name))) is not None:
                previous.nodes[name] = earlier
        for key, containers in new.pods.items():
            last, before = self._last.pods.get(key, {}), self._previous.pods.get(key, {})
            found = {}
            for name, point in containers.items():
                if FRESH_S <= point.at - point.started_at < self._resolution_s:
                    found[name] = point._replace(at=point.started_at, cpu_ns=0)
                elif (earlier := _earlier(point, last.get(name), before.get(name))) is not None:
                    found[name] = earlier
            if found:
                previous.pods[key] = found
        self._last, self._previous = new, previous

    def node(self, name: str) -> Usage | None:
        """None: there are not two points yet."""
        return _usage(self._last.nodes.get(name), self._previous.nodes.get(name))

    def pod(self, key: PodKey) -> dict[str, Usage] | None:
        """By container; None: there are not two points of each yet."""
        last, previous = self._last.pods.get(key), self._previous.pods.get(key)
        if not last or previous is None or last.keys() - previous.keys():
            return None
        found = {name: usage for name, point in last.items() if (usage := _usage(point, previous[name])) is not None}
        return found or None


def _earlier(new: Point, last: Point | None, before: Point | None) -> Point | None:
    if last is None or new.started_at >= last.at:       # a container that has been restarted
        return None
    if new.at > last.at:
        return last
    return before if before is not None and before.at < new.at else None


def _usage(last: Point | None, previous: Point | None) -> Usage | None:
    if last is None or previous is None or last.cpu_ns < previous.cpu_ns or last.at <= previous.at:
        return None
    window_s = last.at - previous.at
    return Usage(last.at, window_s, int((last.cpu_ns - previous.cpu_ns) / window_s), last.memory_bytes)
