"""The typed client: kube.api Structs in, kube.api Structs out.

    async with Client(GrpcTransport(config.apiserver)) as client:
        pod = await client.get(Pod, NamespacedName("default", "web"))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TypeVar

import msgspec

from kube.apimachinery import errors
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.client.dynamic import DynamicClient, delete_options
from kube.client.objects import T, decoder_for, resource_of
from kube.client.results import Listing, WatchEvent
from kube.client.transport import EventType, ListQuery, Location, PatchKind, Transport, WatchQuery, WriteOptions

Body = TypeVar("Body", bound=msgspec.Struct)


class Client:
    """Raises kube.apimachinery.errors. Closes its transport at the end of its `async with`."""

    def __init__(self, transport: Transport, *, field_manager: str = "") -> None:
        self.transport = transport
        self.dynamic = DynamicClient(transport, field_manager=field_manager)
        self._options = WriteOptions(field_manager=field_manager)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.transport.close()

    async def get(self, kind: type[T], key: NamespacedName) -> T:
        body = await self.transport.get(Location(resource_of(kind), key.namespace, key.name))
        return decoder_for(kind).decode(body)

    async def list(
        self,
        kind: type[T],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> Listing[T]:
        query = ListQuery(
            label_selector=label_selector, field_selector=field_selector, limit=limit, continue_token=continue_token,
            resource_version=resource_version,
        )
        page = await self.transport.list(Location(resource_of(kind), namespace), query)
        decode = decoder_for(kind).decode
        return Listing([decode(item) for item in page.items], page.resource_version, page.continue_token)

    async def watch(
        self,
        kind: type[T],
        namespace: str = "",
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
        allow_bookmarks: bool = True,
    ) -> AsyncGenerator[WatchEvent[T], None]:
        """Until the server ends the watch. An ERROR event is raised as the ApiError it carries (Expired: list again)."""
        query = WatchQuery(
            resource_version=resource_version, label_selector=label_selector, field_selector=field_selector,
            allow_bookmarks=allow_bookmarks,
        )
        decode = decoder_for(kind).decode
        async with aclosing(self.transport.watch(Location(resource_of(kind), namespace), query)) as batches:
            async for batch in batches:
                for event_type, body in batch:
                    if event_type is EventType.ERROR:
                        raise errors.from_status(msgspec.json.decode(body))
                    yield WatchEvent(event_type, decode(body))

    async def create(self, obj: T) -> T:
        """In the namespace of its metadata."""
        at = Location(resource_of(obj), obj.metadata.namespace)
        body = await self.transport.create(at, msgspec.json.encode(obj), self._options)
        return decoder_for(type(obj)).decode(body)

    async def update(self, obj: T, *, subresource: str = "") -> T:
        """Raises Conflict unless the object still has this resourceVersion."""
        at = Location(resource_of(obj), obj.metadata.namespace, obj.metadata.name, subresource)
        body = await self.transport.update(at, msgspec.json.encode(obj), self._options)
        return decoder_for(type(obj)).decode(body)

    async def update_status(self, obj: T) -> T:
        return await self.update(obj, subresource="status")

    async def patch(
        self,
        object_type: type[T],
        key: NamespacedName,
        patch: JsonObject | Sequence[JsonObject],
        *,
        kind: PatchKind = PatchKind.STRATEGIC,
        subresource: str = "",
    ) -> T:
        at = Location(resource_of(object_type), key.namespace, key.name, subresource)
        body = await self.transport.patch(at, kind, msgspec.json.encode(patch), self._options)
        return decoder_for(object_type).decode(body)

    async def delete(
        self,
        kind: type[T],
        key: NamespacedName,
        *,
        grace_period_s: int | None = None,
        propagation_policy: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """`propagation_policy`: Background, Foreground or Orphan. `uid` and `resource_version` are preconditions."""
        body = delete_options(grace_period_s, propagation_policy, uid, resource_version)
        await self.transport.delete(Location(resource_of(kind), key.namespace, key.name), body)

    async def create_subresource(
        self, kind: type[T], key: NamespacedName, subresource: str, body: msgspec.Struct, reply: type[Body]
    ) -> Body:
        """Posts to a subresource: a Pod's `binding` or `eviction`, a ServiceAccount's `token`.

        Reply `kube.api.meta_v1.Status` is what binding and eviction answer with.
        """
        at = Location(resource_of(kind), key.namespace, key.name, subresource)
        answer = await self.transport.create(at, msgspec.json.encode(body), self._options)
        return decoder_for(reply).decode(answer)

    async def guaranteed_update(
        self, kind: type[T], key: NamespacedName, change: Callable[[T], T], *, subresource: str = "", attempts: int = 5
    ) -> T:
        """Reads, changes and writes until no one else wrote in between. Writes nothing when `change` changes nothing."""
        for attempt in range(attempts):
            current = await self.get(kind, key)
            changed = change(current)
            if changed is current or changed == current:
                return current
            try:
                return await self.update(changed, subresource=subresource)
            except errors.Conflict:
                if attempt == attempts - 1:
                    raise
                await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError(f"attempts must be positive, got {attempts}")
