"""The seam between the client and the wire: calls about a location, objects as JSON bytes, ApiErrors for failures."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from kube.apimachinery.scheme import ResourceType


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


class PatchKind(StrEnum):
    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Location:
    """What a call is about. An empty namespace means all of them, an empty name the collection."""

    resource: ResourceType
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    metadata_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchQuery:
    resource_version: str = ""
    label_selector: str = ""
    field_selector: str = ""
    allow_bookmarks: bool = True
    metadata_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    field_manager: str = ""
    dry_run: bool = False
    field_validation: str = ""      # "", "Ignore", "Warn", "Strict"
    force: bool = False             # apply only


class Page(NamedTuple):
    items: Sequence[bytes]
    resource_version: str
    continue_token: str = ""
    remaining_item_count: int = 0


class RawEvent(NamedTuple):
    type: EventType
    object: bytes


class Transport(Protocol):
    """Implemented over gRPC (components, with a client certificate) and REST (Pods and tools).

    Every call raises kube.apimachinery.errors.ApiError: what the server answered, ServiceUnavailable when it cannot be
    reached, Timeout when it does not answer in time.
    """

    async def get(self, at: Location) -> bytes: ...

    async def list(self, at: Location, query: ListQuery) -> Page: ...

    def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        """Batches of events, until the server ends the watch. ERROR events are passed on; close the generator to stop."""

    async def create(self, at: Location, body: bytes, options: WriteOptions) -> bytes: ...

    async def update(self, at: Location, body: bytes, options: WriteOptions) -> bytes: ...

    async def patch(self, at: Location, kind: PatchKind, patch: bytes, options: WriteOptions) -> bytes: ...

    async def delete(self, at: Location, options: bytes) -> bytes:
        """`options` is a JSON DeleteOptions, or empty."""

    async def delete_collection(self, at: Location, query: ListQuery, options: bytes) -> bytes: ...

    async def close(self) -> None: ...
