"""One revision of one stored object: decoded when first looked into, encoded once per served version."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from control_plane.storage.conversion import convert
from control_plane.storage.errors import StoredValue
from kube.apimachinery.managed_fields.managers import packed
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import ResourceType

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class CachedObject:
    """Never mutate `obj` or anything in it: every reader shares it. `key` is "namespace/name", or "name" if cluster-scoped."""

    __slots__ = ("_encoded", "_obj", "_raw", "_views", "key", "resource", "revision")

    def __init__(self, resource: ResourceType, key: str, raw: bytes | None, revision: int, obj: JsonObject | None = None) -> None:
        self.resource = resource
        self.key = key
        self.revision = revision
        self._raw = raw
        self._obj = obj
        self._encoded: dict[str, bytes] = {}
        self._views: dict[str, JsonObject] | None = None      # in versions that somebody else converts to

    @classmethod
    def from_stored(cls, resource: ResourceType, stored: StoredValue, key: NamespacedName) -> CachedObject:
        return cls(resource, str(key), stored.value, stored.revision)

    @property
    def namespace(self) -> str:
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def obj(self) -> JsonObject:
        """In the stored version, with metadata.resourceVersion set."""
        if self._obj is None:
            assert self._raw is not None
            obj = packed(_decode(self._raw))
            obj.setdefault("metadata", {})["resourceVersion"] = str(self.revision)
            if self.resource.custom is not None:
                self.resource.custom.definition.from_store(obj)
            self._obj, self._raw = obj, None
        return self._obj

    @property
    def known_size(self) -> int:
        """In bytes of JSON, if it has been encoded; else 0."""
        return len(self._raw) if self._raw is not None else max(map(len, self._encoded.values()), default=0)

    def view(self, api_version: str) -> JsonObject:
        """The object in a served version; shares what needs no conversion, so it is not to be mutated either."""
        if self._views is not None and (held := self._views.get(api_version)) is not None:
            return held
        return convert(self.resource, self.obj, api_version)

    def lacks(self, api_version: str) -> bool:
        return self.obj.get("apiVersion") != api_version and api_version not in (self._views or ())

    def keep_view(self, api_version: str, obj: JsonObject) -> None:
        if self._views is None:
            self._views = {}
        self._views[api_version] = obj

    def encoded(self, api_version: str) -> bytes:
        """JSON in a served version."""
        data = self._encoded.get(api_version)
        if data is None:
            data = self._encoded[api_version] = _encode(self.view(api_version))
        return data

    def served_as(self, resource: ResourceType) -> CachedObject:
        """The same object under another row of its resource."""
        raw = self._raw if self._obj is None else _encode(self._obj)
        return CachedObject(resource, self.key, raw, self.revision)

    def at_revision(self, revision: int) -> CachedObject:
        """The same content under another resourceVersion: what a watcher is told of a deletion."""
        if revision == self.revision:
            return self
        moved = CachedObject(self.resource, self.key, None, revision, _at_revision(self.obj, revision))
        if self._views is not None:
            moved._views = {api_version: _at_revision(obj, revision) for api_version, obj in self._views.items()}
        return moved


def _at_revision(obj: JsonObject, revision: int) -> JsonObject:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}


async def prepare(resource: ResourceType, items: Sequence[CachedObject]) -> None:
    """Before objects are looked at in the version of `resource`: where a webhook converts, it is asked for all of them at once."""
    if resource.custom is None or resource.custom.definition.converter is None:
        return
    api_version = resource.api_version
    lacking = [item for item in items if item.lacks(api_version)]
    if lacking:
        converted = await resource.custom.definition.convert([item.obj for item in lacking], api_version)
        for item, obj in zip(lacking, converted, strict=True):
            item.keep_view(api_version, obj)


async def stored_value(resource: ResourceType, obj: JsonObject) -> bytes:
    """As `encode_value`, of whatever kind."""
    stored_version = resource.storage_gvk.api_version
    if resource.custom is not None and obj.get("apiVersion") != stored_version and resource.custom.definition.converter is not None:
        [obj] = await resource.custom.definition.convert([obj], stored_version)
    return encode_value(resource, obj)


def encode_value(resource: ResourceType, obj: JsonObject) -> bytes:
    """What is written to etcd: the stored version, without the resourceVersion (that is etcd's own revision)."""
    stored = dict(convert(resource, obj, resource.storage_gvk.api_version))
    metadata = dict(stored.get("metadata") or {})
    metadata.pop("resourceVersion", None)
    stored["metadata"] = metadata
    return _encode(stored)
