"""A Transport that is its own small apiserver, in memory: for controllers' unit tests. Held to the Transport contract suite.

Knows names, uids, resourceVersions, conflicts, finalizers, propagation policies, generations, /status, patches, selectors, watch.
No defaulting, validation, admission or authorization.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec

from kube.apimachinery import errors
from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.labels import parse_selector
from kube.apimachinery.patch.json_patch import apply_json_patch
from kube.apimachinery.patch.merge_patch import apply_merge_patch
from kube.apimachinery.patch.strategic import apply_strategic_patch
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import GroupResource
from kube.client.transport import EventType, ListQuery, Location, Page, PatchKind, RawEvent, WatchQuery, WriteOptions
from kube.process.clock import to_rfc3339

Key = tuple[GroupResource, str, str]
Obj = dict[str, Any]
Change = tuple[int, Key, EventType, Obj, Obj | None]


class MemoryTransport:
    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._objects: dict[Key, Obj] = {}
        self._log: list[Change] = []
        self._numbers = itertools.count(1)
        self._version = 0
        self._compacted = 0
        self._changed = asyncio.Condition()
        self.failures: list[errors.ApiError] = []       # raised by the next writes, one each
        self.calls: list[tuple[str, str]] = []          # verb and resource of every write

    async def get(self, at: Location) -> bytes:
        return msgspec.json.encode(self._held(at))

    async def list(self, at: Location, query: ListQuery) -> Page:
        matches = _filter(query.label_selector, query.field_selector)
        items = [obj for (row, namespace, _), obj in sorted(self._objects.items())
                 if row == at.resource.storage_identity and at.namespace in ("", namespace) and matches(obj)]
        return Page([msgspec.json.encode(_view(obj, query.metadata_only)) for obj in items], str(self._version))

    async def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        matches = _filter(query.label_selector, query.field_selector)
        seen = int(query.resource_version or self._version)
        if seen < self._compacted:
            status = errors.Expired(f"too old resource version: {seen} ({self._compacted})").to_status()
            yield [RawEvent(EventType.ERROR, msgspec.json.encode(status))]
            return
        while True:
            batch = []
            for version, (row, namespace, _), kind, obj, old in [*self._log]:
                if version <= seen or row != at.resource.storage_identity or at.namespace not in ("", namespace):
                    continue
                if (event := _seen_as(kind, obj, old, matches)) is not None:
                    batch.append(RawEvent(event, msgspec.json.encode(_view(obj, query.metadata_only))))
            seen = self._version
            if batch:
                yield batch
            async with self._changed:
                await self._changed.wait_for(lambda: self._version > seen)  # noqa: B023

    async def create(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        await asyncio.sleep(0)
        self._called("create", at)
        obj = msgspec.json.decode(body)
        if at.subresource == "binding":
            return await self._bind(at, obj)
        metadata = obj.setdefault("metadata", {})
        if not metadata.get("name"):
            metadata["name"] = f"{metadata['generateName']}{next(self._numbers):05d}"
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": to_rfc3339(self._now()), "generation": 1}
        if at.namespace:
            metadata["namespace"] = at.namespace
        key = (at.resource.storage_identity, at.namespace, metadata["name"])
        if key in self._objects:
            raise errors.already_exists(at.resource.group_resource, metadata["name"])
        if at.resource.plural == "namespaces" and not at.resource.group:
            obj.setdefault("spec", {"finalizers": ["kubernetes"]})
            obj.setdefault("status", {"phase": "Active"})
        return await self._write(key, EventType.ADDED, obj)

    async def update(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        await asyncio.sleep(0)
        self._called("update", at)
        held, new = self._held(at), msgspec.json.decode(body)
        version = new["metadata"].get("resourceVersion")
        if version and version != held["metadata"]["resourceVersion"]:
            raise errors.modified(at.resource.group_resource, at.name)
        return await self._replace(at, held, new)

    async def patch(self, at: Location, kind: PatchKind, patch: bytes, options: WriteOptions) -> bytes:
        await asyncio.sleep(0)
        self._called("patch", at)
        held, change = self._held(at), msgspec.json.decode(patch)
        match kind:
            case PatchKind.JSON:
                new = apply_json_patch(deepcopy(held), change)
            case PatchKind.MERGE:
                new = apply_merge_patch(deepcopy(held), change)
            case _:
                new = apply_strategic_patch(deepcopy(held), change, schemas().for_kind(at.resource.gvk))
        if new["metadata"]["uid"] != held["metadata"]["uid"]:
            raise errors.conflict(at.resource.group_resource, at.name, "Precondition failed: UID in precondition")
        if new["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]:
            raise errors.modified(at.resource.group_resource, at.name)
        return await self._replace(at, held, new)

    async def delete(self, at: Location, options: bytes) -> bytes:
        await asyncio.sleep(0)
        self._called("delete", at)
        held = self._held(at)
        wish = msgspec.json.decode(options) if options else {}
        preconditions = wish.get("preconditions") or {}
        if any(preconditions.get(key) not in (None, "", held["metadata"][key]) for key in ("uid", "resourceVersion")):
            raise errors.conflict(at.resource.group_resource, at.name, "Precondition failed")
        new = deepcopy(held)
        finalizers = new["metadata"].setdefault("finalizers", [])
        extra = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(wish.get("propagationPolicy", ""))
        if extra and extra not in finalizers:
            finalizers.append(extra)
        if not finalizers and not (new.get("spec") or {}).get("finalizers"):
            await self._remove(at)
        elif not held["metadata"].get("deletionTimestamp"):
            new["metadata"]["deletionTimestamp"] = to_rfc3339(self._now())
            if at.resource.plural == "namespaces":
                new.setdefault("status", {})["phase"] = "Terminating"
            await self._write(self._key(at), EventType.MODIFIED, new)
        return b"{}"

    async def delete_collection(self, at: Location, query: ListQuery, options: bytes) -> bytes:
        for item in (await self.list(at, query)).items:
            metadata = msgspec.json.decode(item)["metadata"]
            await self.delete(Location(at.resource, metadata.get("namespace", ""), metadata["name"]), options)
        return b"{}"

    async def close(self) -> None:
        return

    def compact(self) -> None:
        """Forgets history: whoever resumes from before must list again."""
        self._compacted = self._version
        self._log.clear()

    def _called(self, verb: str, at: Location) -> None:
        self.calls.append((verb, "/".join(filter(None, (at.resource.plural, at.subresource)))))
        if self.failures:
            raise self.failures.pop(0)

    def _key(self, at: Location) -> Key:
        return at.resource.storage_identity, at.namespace, at.name

    def _held(self, at: Location) -> Obj:
        try:
            return self._objects[self._key(at)]
        except KeyError:
            raise errors.not_found(at.resource.group_resource, at.name) from None

    async def _bind(self, at: Location, binding: Obj) -> bytes:
        held = self._held(at)
        await self._replace(at, held, {**held, "spec": {**held.get("spec", {}), "nodeName": binding["target"]["name"]}})
        return b'{"kind":"Status","apiVersion":"v1","status":"Success"}'

    async def _replace(self, at: Location, held: Obj, new: Obj) -> bytes:
        if at.subresource == "status":
            new = {**held, "status": new.get("status", {})}
        else:
            new = {**new, **({"status": held["status"]} if "status" in held else {})}
        new["metadata"] = {**new["metadata"], "uid": held["metadata"]["uid"]}
        for name in ("creationTimestamp", "generation", "deletionTimestamp"):
            if name in held["metadata"]:
                new["metadata"][name] = held["metadata"][name]
        if new.get("spec") != held.get("spec"):
            new["metadata"]["generation"] += 1
        if _without_version(new) == _without_version(held):
            return msgspec.json.encode(held)
        done = not new["metadata"].get("finalizers") and not (new.get("spec") or {}).get("finalizers")
        if held["metadata"].get("deletionTimestamp") and done:
            await self._remove(at)
            return msgspec.json.encode(new)
        return await self._write(self._key(at), EventType.MODIFIED, new)

    async def _write(self, key: Key, kind: EventType, obj: Obj) -> bytes:
        old = self._objects.get(key)
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key] = obj
        await self._announce(key, kind, obj, old)
        return msgspec.json.encode(obj)

    async def _remove(self, at: Location) -> None:
        old = self._objects.pop(self._key(at))
        self._version += 1
        gone = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self._version)}}
        await self._announce(self._key(at), EventType.DELETED, gone, old)

    async def _announce(self, key: Key, kind: EventType, obj: Obj, old: Obj | None) -> None:
        self._log.append((self._version, key, kind, obj, old))
        async with self._changed:
            self._changed.notify_all()


def _without_version(obj: Obj) -> Obj:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": metadata}


def _view(obj: Obj, metadata_only: bool) -> Obj:
    if not metadata_only:
        return obj
    return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": obj["metadata"]}


def _filter(label_selector: str, field_selector: str) -> Callable[[Obj], bool]:
    labels, fields = parse_selector(label_selector), parse_field_selector(field_selector)

    def matches(obj: Obj) -> bool:
        metadata = obj["metadata"]
        values = {"metadata.name": metadata["name"], "metadata.namespace": metadata.get("namespace", "")}
        values["type"] = str(obj.get("type", ""))       # of Secrets and Events
        with suppress(AttributeError):
            values |= {f"spec.{name}": obj.get("spec", {}).get(name, "") for name in ("nodeName", "signerName")}
        return labels.matches(metadata.get("labels") or {}) and fields.matches(values)

    return matches


def _seen_as(kind: EventType, obj: Obj, old: Obj | None, matches: Callable[[Obj], bool]) -> EventType | None:
    """An object that begins to match is ADDED to this watcher, one that ceases to is DELETED."""
    was, is_ = old is not None and matches(old), kind is not EventType.DELETED and matches(obj)
    if is_:
        return EventType.MODIFIED if was else EventType.ADDED
    return EventType.DELETED if was else None
