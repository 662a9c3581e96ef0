"""The client on plain dicts, for any resource of the table: what the object's type need not be known for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from kube.apimachinery import errors
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import ResourceType
from kube.client.results import Listing, WatchEvent
from kube.client.transport import EventType, ListQuery, Location, PatchKind, Transport, WatchQuery, WriteOptions


class DynamicClient:
    """Reached as `client.dynamic`."""

    def __init__(self, transport: Transport, *, field_manager: str = "") -> None:
        self._transport = transport
        self._options = WriteOptions(field_manager=field_manager)

    async def get(self, resource: ResourceType, key: NamespacedName, *, subresource: str = "") -> JsonObject:
        return _decode(await self._transport.get(Location(resource, key.namespace, key.name, subresource)))

    async def list(
        self,
        resource: ResourceType,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        metadata_only: bool = False,
    ) -> Listing[JsonObject]:
        query = ListQuery(
            label_selector=label_selector, field_selector=field_selector, limit=limit, continue_token=continue_token,
            metadata_only=metadata_only,
        )
        page = await self._transport.list(Location(resource, namespace), query)
        return Listing([_decode(item) for item in page.items], page.resource_version, page.continue_token)

    async def watch(
        self,
        resource: ResourceType,
        namespace: str = "",
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
        allow_bookmarks: bool = True,
        metadata_only: bool = False,
    ) -> AsyncGenerator[WatchEvent[JsonObject], None]:
        """Until the server ends the watch. An ERROR event is raised as the ApiError it carries."""
        query = WatchQuery(
            resource_version=resource_version, label_selector=label_selector, field_selector=field_selector,
            allow_bookmarks=allow_bookmarks, metadata_only=metadata_only,
        )
        async with aclosing(self._transport.watch(Location(resource, namespace), query)) as batches:
            async for batch in batches:
                for kind, body in batch:
                    obj = _decode(body)
                    if kind is EventType.ERROR:
                        raise errors.from_status(obj)
                    yield WatchEvent(kind, obj)

    async def create(self, resource: ResourceType, obj: JsonObject, *, dry_run: bool = False) -> JsonObject:
        at = Location(resource, NamespacedName.of(obj).namespace)
        return _decode(await self._transport.create(at, msgspec.json.encode(obj), self._write_options(dry_run)))

    async def update(self, resource: ResourceType, obj: JsonObject, *, subresource: str = "", dry_run: bool = False) -> JsonObject:
        key = NamespacedName.of(obj)
        at = Location(resource, key.namespace, key.name, subresource)
        return _decode(await self._transport.update(at, msgspec.json.encode(obj), self._write_options(dry_run)))

    async def patch(
        self,
        resource: ResourceType,
        key: NamespacedName,
        patch: JsonObject | Sequence[JsonObject],
        *,
        kind: PatchKind = PatchKind.MERGE,
        subresource: str = "",
        force: bool = False,
    ) -> JsonObject:
        at = Location(resource, key.namespace, key.name, subresource)
        options = WriteOptions(field_manager=self._options.field_manager, force=force)
        return _decode(await self._transport.patch(at, kind, msgspec.json.encode(patch), options))

    async def delete(
        self,
        resource: ResourceType,
        key: NamespacedName,
        *,
        grace_period_s: int | None = None,
        propagation_policy: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        body = delete_options(grace_period_s, propagation_policy, uid, resource_version)
        await self._transport.delete(Location(resource, key.namespace, key.name), body)

    async def delete_collection(
        self,
        resource: ResourceType,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        grace_period_s: int | None = None,
        propagation_policy: str | None = None,
    ) -> None:
        query = ListQuery(label_selector=label_selector, field_selector=field_selector)
        body = delete_options(grace_period_s, propagation_policy, None, None)
        await self._transport.delete_collection(Location(resource, namespace), query, body)

    def _write_options(self, dry_run: bool) -> WriteOptions:
        return WriteOptions(field_manager=self._options.field_manager, dry_run=True) if dry_run else self._options


def delete_options(
    grace_period_s: int | None, propagation_policy: str | None, uid: str | None, resource_version: str | None
) -> bytes:
    """A JSON DeleteOptions, or nothing when there is nothing to say."""
    options: dict[str, Any] = {}
    if grace_period_s is not None:
        options["gracePeriodSeconds"] = grace_period_s
    if propagation_policy is not None:
        options["propagationPolicy"] = propagation_policy
    if preconditions := {name: value for name, value in (("uid", uid), ("resourceVersion", resource_version)) if value}:
        options["preconditions"] = preconditions
    return msgspec.json.encode({"kind": "DeleteOptions", "apiVersion": "v1", **options}) if options else b""


def _decode(body: bytes) -> JsonObject:
    obj: JsonObject = msgspec.json.decode(body)
    return obj
