"""The loop under an informer: list, then watch from the list's resourceVersion, for ever.

A watch that ends is resumed from the last event or bookmark seen; one that has become too old (410) starts again with a
list. Failures back off exponentially with jitter, so that a restarted apiserver does not meet all its clients at once.
No resync: handlers are called only for what changed, and controllers that need time use their queue's `add_after`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from kube.apimachinery import errors
from kube.client.objects import ObjectDecoder
from kube.client.transport import EventType, ListQuery, Location, RawEvent, Transport, WatchQuery
from kube.process.log import get_logger

BACKOFF_BASE_S: Final = 0.1
BACKOFF_CAP_S: Final = 10.0

log = get_logger("reflector")


class Metadata(Protocol):
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def resource_version(self) -> str: ...


class HasMetadata(Protocol):
    """What can be followed: the Structs of kube.api, and smaller views of them."""

    @property
    def metadata(self) -> Metadata: ...


V = TypeVar("V", bound=HasMetadata)
V_in = TypeVar("V_in", bound=HasMetadata, contravariant=True)


class Sink(Protocol[V_in]):
    """Where a reflector puts what it learns."""

    def replace(self, objects: Sequence[V_in]) -> None: ...

    def apply(self, event: EventType, obj: V_in) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects of a resource are followed."""

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False


class Reflector(Generic[V]):
    def __init__(
        self, transport: Transport, location: Location, selection: Selection, decoder: ObjectDecoder[V], sink: Sink[V]
    ) -> None:
        self._transport = transport
        self._location = location
        self._selection = selection
        self._decoder = decoder
        self._sink = sink
        self._version = ""
        self._failures = 0
        self._log = log.bind(resource=str(location.resource.group_resource))

    async def run(self) -> None:
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except (errors.Expired, errors.Gone):
                self._log.debug("watch expired, listing again", resource_version=self._version)
                self._version = ""
            except errors.ApiError as error:
                level = self._log.debug if isinstance(error, (errors.ServiceUnavailable, errors.Timeout)) else self._log.warning
                level("list or watch failed", error=str(error))
            self._failures += 1
            delay_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(self._failures - 1, 16))
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.5))

    async def _list(self) -> None:
        selection = self._selection
        page = await self._transport.list(self._location, ListQuery(
            label_selector=selection.label_selector, field_selector=selection.field_selector, metadata_only=selection.metadata_only))
        self._sink.replace([obj for item in page.items if (obj := self._decode(item)) is not None])
        self._version = page.resource_version
        self._failures = 0

    async def _watch(self) -> None:
        selection = self._selection
        query = WatchQuery(
            resource_version=self._version, label_selector=selection.label_selector, field_selector=selection.field_selector,
            metadata_only=selection.metadata_only,
        )
        async with aclosing(self._transport.watch(self._location, query)) as batches:
            async for batch in batches:
                for event in batch:
                    self._handle(event)
                self._failures = 0

    def _handle(self, event: RawEvent) -> None:
        if event.type is EventType.ERROR:
            raise errors.from_status(msgspec.json.decode(event.object))
        obj = self._decode(event.object)
        if obj is None:
            return
        if event.type is not EventType.BOOKMARK:
            self._sink.apply(event.type, obj)
        self._version = obj.metadata.resource_version

    def _decode(self, body: bytes) -> V | None:
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Skipped and not fatal: one odd object (of an extension server, say) must not hide all others from every controller.
            self._log.error("object cannot be decoded", error=str(error))
            return None
