"""Which Events are worth writing, and as what: client-go's EventCorrelator, pure.

An event goes through three stages. *Spam filter*: per source and object a bucket of 25, refilled one per five minutes.
*Aggregation*: when more than ten events differ only in their message within ten minutes, they become one "(combined from
similar events)". *Counting*: an event that was seen before is the same object with a higher count and a later lastTimestamp.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from kube.api.core_v1 import Event, EventSource, ObjectReference
from kube.client.workqueue import TokenBucket

MAX_SIMILAR: Final = 10
SIMILAR_WINDOW_S: Final = 600.0
SPAM_BURST: Final = 25
SPAM_RATE: Final = 1 / 300
CACHE_SIZE: Final = 4096
COMBINED: Final = "(combined from similar events): "

V = TypeVar("V")


class _Recent(Generic[V]):
    """The last `CACHE_SIZE` keys used."""

    def __init__(self) -> None:
        self._held: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> None:
        self._held[key] = value
        self._held.move_to_end(key)
        if len(self._held) > CACHE_SIZE:
            self._held.popitem(last=False)


@dataclass(slots=True)
class _Similar:
    """Messages of events that are alike but for them."""

    messages: set[str] = field(default_factory=set)
    last: datetime | None = None


class _Seen(NamedTuple):
    times: int
    first_timestamp: str
    name: str


class Correlated(NamedTuple):
    """What to write: an update of the stored event when `is_update`, else a new object."""

    event: Event
    is_update: bool
    key: Hashable


class EventCorrelator:
    def __init__(self) -> None:
        self._buckets: _Recent[TokenBucket] = _Recent()
        self._similar: _Recent[_Similar] = _Recent()
        self._seen: _Recent[_Seen] = _Recent()

    def correlate(self, event: Event, now: datetime) -> Correlated | None:
        """None when the event is spam."""
        if not self._bucket(event).try_take(now.timestamp()):
            return None
        event, key = self._aggregate(event, now)
        seen = self._seen.get(key)
        if seen is None:
            return Correlated(event, False, key)
        counted = msgspec.structs.replace(
            event,
            metadata=msgspec.structs.replace(event.metadata, name=seen.name),
            first_timestamp=seen.first_timestamp,
            count=seen.times + 1,
        )
        return Correlated(counted, True, key)

    def written(self, key: Hashable, event: Event) -> None:
        """Remembers what the server now holds."""
        self._seen.put(key, _Seen(event.count or 1, event.first_timestamp, event.metadata.name))

    def _bucket(self, event: Event) -> TokenBucket:
        key = (_source(event), _object(event))
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = TokenBucket(SPAM_RATE, SPAM_BURST)
            self._buckets.put(key, bucket)
        return bucket

    def _aggregate(self, event: Event, now: datetime) -> tuple[Event, Hashable]:
        group = (_source(event), _object(event), event.type, event.reason, event.reporting_component, event.reporting_instance)
        similar = self._similar.get(group)
        if similar is None or similar.last is None or (now - similar.last).total_seconds() > SIMILAR_WINDOW_S:
            similar = _Similar()
            self._similar.put(group, similar)
        similar.messages.add(event.message)
        similar.last = now
        if len(similar.messages) < MAX_SIMILAR:
            return event, (*group, event.message, _field_path(event))
        similar.messages.discard(next(iter(similar.messages - {event.message})))     # stays at its limit, forgets one at a time
        return msgspec.structs.replace(event, message=COMBINED + event.message), group


def _source(event: Event) -> tuple[str, str]:
    source = event.source or EventSource()
    return source.component, source.host


def _object(event: Event) -> tuple[str, str, str, str, str]:
    ref = event.involved_object or ObjectReference()
    return ref.kind, ref.namespace, ref.name, ref.uid, ref.api_version


def _field_path(event: Event) -> str:
    return (event.involved_object or ObjectReference()).field_path
