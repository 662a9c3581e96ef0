"""A JSONSchemaProps as the functions of this package read it: `Structural` says each thing once, with Go's zero values filled in.

Upstream splits a schema into a structural part (type, properties, items) and value validations, which may nest in allOf, anyOf, oneOf and
not. Here one class holds both; structural_rules.py says which keywords may stand where.
"""

from __future__ import annotations

from typing import Any, Final

from kube.apimachinery.meta import JsonObject

UNSUPPORTED: Final = ("id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions")


class NotStructural(Exception):
    """The schema holds what no structural schema can."""


class Structural:
    """One node. `raw` is the JSON it was made from; absent strings are "", absent limits None."""

    __slots__ = (
        "additional", "all_of", "allows_additional", "any_of", "default", "embedded", "enum", "format", "has_default", "int_or_string",
        "items", "list_map_keys", "list_type", "map_type", "not_", "nullable", "one_of", "pattern", "preserve", "properties", "raw",
        "required", "rules", "type",
    )

    def __init__(self, raw: JsonObject) -> None:
        for key in UNSUPPORTED:
            if raw.get(key):
                raise NotStructural(f"OpenAPIV3Schema '{key.lstrip('$')}' is not supported")
        self.raw = raw
        self.type: str = raw.get("type") or ""
        self.nullable = bool(raw.get("nullable"))
        self.default: Any = raw.get("default")
        self.has_default = raw.get("default") is not None
        self.format: str = raw.get("format") or ""
        self.pattern: str = raw.get("pattern") or ""
        self.enum: list[Any] | None = raw.get("enum") or None
        self.required: tuple[str, ...] = tuple(raw.get("required") or ())
        self.embedded = bool(raw.get("x-kubernetes-embedded-resource"))
        self.int_or_string = bool(raw.get("x-kubernetes-int-or-string"))
        self.preserve = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self.list_type: str = raw.get("x-kubernetes-list-type") or ""
        self.list_map_keys: tuple[str, ...] = tuple(raw.get("x-kubernetes-list-map-keys") or ())
        self.map_type: str = raw.get("x-kubernetes-map-type") or ""
        self.rules: list[JsonObject] = raw.get("x-kubernetes-validations") or []
        self._set_children(raw)

    def _set_children(self, raw: JsonObject) -> None:
        items = raw.get("items")
        if isinstance(items, list):
            raise NotStructural("OpenAPIV3Schema 'items' must be a schema, but is an array")
        self.items = Structural(items) if isinstance(items, dict) else None
        self.properties = {key: Structural(child or {}) for key, child in (raw.get("properties") or {}).items()}
        additional = raw.get("additionalProperties")
        self.allows_additional = isinstance(additional, dict) or bool(additional)
        self.additional = Structural(additional) if isinstance(additional, dict) else None
        self.all_of = [Structural(child or {}) for child in raw.get("allOf") or ()]
        self.any_of = [Structural(child or {}) for child in raw.get("anyOf") or ()]
        self.one_of = [Structural(child or {}) for child in raw.get("oneOf") or ()]
        self.not_ = Structural(raw["not"]) if isinstance(raw.get("not"), dict) else None

    @property
    def declares_additional(self) -> bool:
        """Whether the keyword additionalProperties is there at all; `false` is a declaration too."""
        return self.raw.get("additionalProperties") is not None

    def __repr__(self) -> str:
        return f"Structural({self.type or 'any'}: {', '.join(self.properties)})"
