"""What list and watch return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kube.client.transport import EventType

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Listing(Generic[V]):
    """One page of a list; all of it unless `continue_token` is set. Watch from `resource_version` to miss nothing."""

    items: Sequence[V]
    resource_version: str
    continue_token: str = ""

    def __iter__(self) -> Iterator[V]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[V]):
    """A BOOKMARK's object has a resourceVersion and nothing else."""

    type: EventType
    object: V
