"""The schema of a custom kind in the form of built-in ones (schema.py): for apply, and whoever else asks by kind."""

from __future__ import annotations

from typing import Any, Final

from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import META_V1, Schema, Schemas

_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})


class CustomSchema(Schema):
    """Of one node. `default` is the schema's; `preserve_unknown_fields`: fields that it does not name are kept."""

    __slots__ = ("_custom", "_properties", "default", "preserve_unknown_fields")

    def __init__(self, raw: JsonObject, schemas: Schemas, path: str, *, is_resource: bool = False) -> None:
        self._schemas = schemas
        self._origin = (path, "")
        self._custom = raw
        self._properties: dict[str, Schema] | None = None
        self._map_type = raw.get("x-kubernetes-map-type") or ""
        self.definition = ""
        self.items = None
        self.values = None
        self.format = raw.get("format") or ""
        self.nullable = bool(raw.get("nullable"))
        self.list_type = raw.get("x-kubernetes-list-type") or ""
        self.list_map_keys = tuple(raw.get("x-kubernetes-list-map-keys") or ())
        self.patch_strategy = self.patch_merge_key = ""
        self.default: Any = raw.get("default")
        self.preserve_unknown_fields = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self._set_form(raw, path, is_resource=is_resource or bool(raw.get("x-kubernetes-embedded-resource")))

    def _set_form(self, raw: JsonObject, path: str, *, is_resource: bool) -> None:
        kind, additional = raw.get("type") or "", raw.get("additionalProperties")
        self.type = "any"
        if raw.get("x-kubernetes-int-or-string"):
            self.type = "int-or-string"
        elif kind == "array" and isinstance(raw.get("items"), dict):
            self.type, self.items = "array", CustomSchema(raw["items"], self._schemas, f"{path}.items")
        elif additional and not raw.get("properties") and not is_resource:
            self.type = "map"
            self.values = CustomSchema(additional if isinstance(additional, dict) else {}, self._schemas, f"{path}.values")
        elif kind == "object" or is_resource:
            self.type, self.definition = "object", path
            if is_resource:
                self._properties = self._envelope()
        elif kind in _SCALARS:
            self.type = kind

    def _envelope(self) -> dict[str, Schema]:
        text = CustomSchema({"type": "string"}, self._schemas, "string")
        metadata = self._schemas.for_definition(META_V1 + "ObjectMeta")
        assert metadata is not None
        made = {name: CustomSchema(child or {}, self._schemas, f"{self.definition}.{name}") for name, child in self._fields.items()}
        return {**made, "apiVersion": text, "kind": text, "metadata": metadata}

    @property
    def _fields(self) -> JsonObject:
        fields: JsonObject = self._custom.get("properties") or {}
        return fields

    @property
    def properties(self) -> dict[str, Schema]:
        if self._properties is None:
            path = self.definition
            self._properties = {name: CustomSchema(child or {}, self._schemas, f"{path}.{name}") for name, child in self._fields.items()}
        return self._properties

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self._custom.get("required") or ())

    @property
    def map_type(self) -> str:
        return self._map_type

    @property
    def description(self) -> str:
        text: str = self._custom.get("description") or ""
        return text

    @property
    def go_type(self) -> str:
        return self.type
