"""One revision of one stored object: decoded when looked into, encoded once per served version and form."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from sys import intern
from typing import Final

import msgspec

from control_plane.storage.conversion import convert
from control_plane.storage.errors import StoredValue
from kube.apimachinery.managed_fields.managers import packed
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupResource, ResourceType

_DECODED: Final = 256       # objects of a resource that stay decoded
# How `encode_value` begins, where metadata holds anything.
_HEAD: Final = re.compile(rb'\{"kind":"[\w.-]+","apiVersion":"([\w./-]+)","metadata":\{(?=")')
_decoded: dict[GroupResource, deque[CachedObject]] = {}       # the latest; a process has one cache

_COORDINATES: Final = frozenset({"kind", "apiVersion", "metadata"})
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class _Metadata(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Labelled(msgspec.Struct):
    metadata: _Metadata


_decode_labels = msgspec.json.Decoder(_Labelled).decode      # a fifth of the time that all of a Pod takes


class CachedObject:
    """Never mutate `obj` or anything in it: every reader shares it. `key` is "namespace/name", or "name" if cluster-scoped.

    What is kept is the JSON that clients get: the stored bytes with the resourceVersion put in, which takes no parsing. `obj` is decoded
    when somebody looks into it, and let go when many others of its resource have been since (`_DECODED`): a decoded Pod weighs several
    times its JSON, and makes the garbage collector's rounds longer. What selectors ask for is kept beside.
    """

    __slots__ = ("_data", "_fields", "_kept", "_labels", "_obj", "_version", "_views", "key", "resource", "revision")

    def __init__(self, resource: ResourceType, key: str, raw: bytes | None, revision: int, obj: JsonObject | None = None) -> None:
        self.resource = resource
        self.key = key
        self.revision = revision
        self._data = raw
        self._version = ""      # of what `_data` is the JSON as served; "": it is what was stored, or None
        self._obj = obj
        self._labels: Mapping[str, str] | None = None
        self._fields: tuple[str, Mapping[str, str]] | None = None
        self._kept: dict[str, bytes] | None = None
        self._views: dict[str, JsonObject] | None = None      # in versions that somebody else converts to
        if raw is not None and resource.custom is None and (head := _HEAD.match(raw)):
            end = head.end()
            self._version = intern(head[1].decode())
            self._data = b"".join((raw[:end], b'"resourceVersion":"%d",' % revision, raw[end:]))

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
        if (obj := self._obj) is None:
            assert self._data is not None
            obj = packed(_decode(self._data))
            if not self._version:
                obj.setdefault("metadata", {})["resourceVersion"] = str(self.revision)
            if self.resource.custom is not None:
                self.resource.custom.definition.from_store(obj)
            self._obj = obj
            _let_older_go(self)
        return obj

    @property
    def known_size(self) -> int:
        """In bytes of JSON, if that is known; else 0."""
        return 0 if self._data is None else len(self._data)

    @property
    def labels(self) -> Mapping[str, str]:
        if (labels := self._labels) is None:
            labels = self._labels = self._found_labels()
        return labels

    def _found_labels(self) -> Mapping[str, str]:
        if self._obj is None and self._version:
            assert self._data is not None
            with suppress(msgspec.ValidationError):      # no strings: then as they stand
                return _decode_labels(self._data).metadata.labels or {}
        return self.obj["metadata"].get("labels") or {}

    def fields(self, api_version: str, values: Callable[[JsonObject], Mapping[str, str]]) -> Mapping[str, str]:
        """What `values` finds in the object in that version; it must find the same each time."""
        if (held := self._fields) is None or held[0] != api_version:
            held = self._fields = (api_version, values(self.view(api_version)))
        return held[1]

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
        if api_version == self._version:
            assert self._data is not None
            return self._data
        held = self.held(api_version)
        return self.keep(api_version, _encode(self.view(api_version))) if held is None else held

    def held(self, form: str) -> bytes | None:
        """The object in another form, if it was kept."""
        return None if self._kept is None else self._kept.get(form)

    def keep(self, form: str, data: bytes) -> bytes:
        if self._kept is None:
            self._kept = {}
        self._kept[form] = data
        return data

    def served_as(self, resource: ResourceType) -> CachedObject:
        """The same object under another row of its resource."""
        raw = _encode(self._obj) if self._data is None else self._stored()
        return CachedObject(resource, self.key, raw, self.revision)

    def at_revision(self, revision: int) -> CachedObject:
        """The same content under another resourceVersion: what a watcher is told of a deletion."""
        if revision == self.revision:
            return self
        if self._data is None:
            moved = CachedObject(self.resource, self.key, None, revision, _at_revision(self.obj, revision))
        else:
            moved = CachedObject(self.resource, self.key, self._stored(), revision)
        if self._views is not None:
            moved._views = {api_version: _at_revision(obj, revision) for api_version, obj in self._views.items()}
        return moved

    def _stored(self) -> bytes:
        """As in etcd."""
        assert self._data is not None
        if not self._version:
            return self._data
        own = b'"resourceVersion":"%d",' % self.revision
        begin = self._data.index(own)
        return self._data[:begin] + self._data[begin + len(own):]


def _let_older_go(item: CachedObject) -> None:
    held = _decoded.setdefault(item.resource.storage_identity, deque())
    held.append(item)
    if len(held) > _DECODED:
        held.popleft()._obj = None


def forget_decoded(identity: GroupResource) -> None:
    """Of a resource that is gone."""
    _decoded.pop(identity, None)


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
    api_version = resource.storage_gvk.api_version
    stored = convert(resource, obj, api_version)
    metadata = dict(stored.get("metadata") or {})
    metadata.pop("resourceVersion", None)
    # In this order, so that the resourceVersion can be put in without parsing (`_HEAD`).
    return _encode({"kind": stored.get("kind", resource.kind), "apiVersion": api_version, "metadata": metadata} | {
        key: value for key, value in stored.items() if key not in _COORDINATES
    })
