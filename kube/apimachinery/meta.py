"""Names and owners: what identifies an object and what it belongs to."""

from __future__ import annotations

from typing import Any, NamedTuple, NewType

Uid = NewType("Uid", str)
ResourceVersion = NewType("ResourceVersion", str)   # opaque to clients: only equality means anything
JsonObject = dict[str, Any]                         # an API object as the server handles it


class NamespacedName(NamedTuple):
    namespace: str                                  # "" for cluster-scoped objects
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def of(cls, obj: JsonObject) -> NamespacedName:
        metadata = obj.get("metadata") or {}
        return cls(metadata.get("namespace", ""), metadata.get("name", ""))
