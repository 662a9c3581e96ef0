"""Watch batches as messages: several events in each, bounded so that no message grows without limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from control_plane.apiserver.http_door.representations import partial_metadata
from control_plane.apiserver.registry.watching import Watched
from kube.apimachinery.scheme import ResourceType
from kube.rpc.v1 import objects_pb2 as pb

_TYPES: Final[dict[str, Any]] = {name: pb.EventType.Value(name) for name in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")}
_MESSAGE_BYTES: Final = 512 * 1024
encode_json: Final = msgspec.json.Encoder().encode


def replies(batch: Iterable[Watched], resource: ResourceType, *, metadata_only: bool) -> Iterator[pb.WatchReply]:
    events: list[pb.WatchEvent] = []
    size = 0
    for event in batch:
        data = _encoded(event, resource, metadata_only=metadata_only)
        events.append(pb.WatchEvent(type=_TYPES[event.type], object=data))
        size += len(data)
        if size >= _MESSAGE_BYTES:
            yield pb.WatchReply(events=events)
            events, size = [], 0
    if events:
        yield pb.WatchReply(events=events)


def _encoded(event: Watched, resource: ResourceType, *, metadata_only: bool) -> bytes:
    if event.item is None:
        return encode_json(event.body)
    if metadata_only:
        return encode_json(partial_metadata(event.item.view(resource.api_version)))
    return event.item.encoded(resource.api_version)
