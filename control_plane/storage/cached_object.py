"""One revision of one stored object: decoded when first looked into, encoded once per served version."""

from __future__ import annotations

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

    __slots__ = ("_encoded", "_obj", "_raw", "key", "resource", "revision")

    def __init__(self, resource: ResourceType, key: str, raw: bytes | None, revision: int, obj: JsonObject | None = None) -> None:
        self.resource = resource
        self.key = key
        self.revision = revision
        self._raw = raw
        self._obj = obj
        self._encoded: dict[str, bytes] = {}

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

    def view(self, api_version: str) -> JsonObject:
        """The object in a served version; shares what needs no conversion, so it is not to be mutated either."""
        return convert(self.resource, self.obj, api_version)

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
        obj = self.obj
        return CachedObject(
            self.resource, self.key, None, revision, {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        )


def encode_value(resource: ResourceType, obj: JsonObject) -> bytes:
    """What is written to etcd: the stored version, without the resourceVersion (that is etcd's own revision)."""
    stored = dict(convert(resource, obj, resource.storage_gvk.api_version))
    metadata = dict(stored.get("metadata") or {})
    metadata.pop("resourceVersion", None)
    stored["metadata"] = metadata
    return _encode(stored)
