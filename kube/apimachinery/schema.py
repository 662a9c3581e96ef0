"""Schemas of the built-in kinds, normalised to what the server asks of them.

The package's JSON says most things in several ways (nullable types, quantities as bare `oneOf`, references beside sibling keywords). A
`Schema` says each once. Definitions are decoded when a walk first reaches them, so that loading costs a few milliseconds and a process pays
only for the kinds it meets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.apimachinery.upstream import KUBERNETES_VERSION, load_raw_definitions
from kube.apimachinery.wire_form import wire_form

REF_PREFIX = "#/$defs/"
META_V1 = "io.k8s.apimachinery.pkg.apis.meta.v1."
JSON_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
# Definitions that are no object with fields; everything else without properties is free-form ("any").
VALUE_TYPES: Mapping[str, tuple[str, str]] = {          # -> (type, format)
    "io.k8s.apimachinery.pkg.api.resource.Quantity": ("quantity", ""),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": ("int-or-string", ""),
    META_V1 + "Time": ("string", "date-time"),
    META_V1 + "MicroTime": ("string", "micro-time"),
}
RAW_EXTENSION = "io.k8s.apimachinery.pkg.runtime.RawExtension"
EMPTY_OBJECTS = frozenset({JSON_SCHEMA + "CustomResourceSubresourceStatus"})
META_KINDS = frozenset({"APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "DeleteOptions", "Status", "WatchEvent"})
# The package in a definition's name where it is not the group's first label.
PACKAGES = {"": "core", "internal.apiserver.k8s.io": "apiserverinternal"}
PREFIXES = {
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis",
}
GO_SCALARS = {"string": "string", "boolean": "bool", "number": "float64", "quantity": "resource.Quantity",
              "int-or-string": "intstr.IntOrString", "any": "runtime.RawExtension"}

RawSchema = dict[str, Any]


def definition_name(gvk: GroupVersionKind) -> str:
    """apps/v1 Deployment -> io.k8s.api.apps.v1.Deployment; the kind may be any type of that group and version."""
    if gvk.kind in META_KINDS:
        return META_V1 + gvk.kind
    package = PACKAGES.get(gvk.group) or gvk.group.partition(".")[0]
    return f"{PREFIXES.get(gvk.group, 'io.k8s.api')}.{package}.{gvk.version}.{gvk.kind}"


class Definition:
    """One named type: its fields, decoded once."""

    __slots__ = ("map_type", "name", "properties", "required")

    def __init__(self, name: str, raw: RawSchema, schemas: Schemas) -> None:
        self.name = name
        self.map_type: str = raw.get("x-kubernetes-map-type", "")
        self.required: tuple[str, ...] = tuple(raw.get("required", ()))
        self.properties = {key: Schema(value, schemas, (name, key)) for key, value in raw.get("properties", {}).items()}

    @property
    def go_name(self) -> str:
        return self.name.rpartition(".")[2]


class Schema:
    """One node: a kind, a field, a list's item or a map's value.

    `type` is object (fields in `properties`), map (`values`), array (`items`), string, integer, number, boolean, int-or-string, quantity,
    or any. `format` is int32, int64, double, byte, date-time, micro-time or "".
    """

    __slots__ = (
        "_map_type", "_origin", "_schemas", "definition", "format", "items", "list_map_keys", "list_type", "nullable",
        "patch_merge_key", "patch_strategy", "type", "values",
    )

    def __init__(self, raw: RawSchema, schemas: Schemas, origin: tuple[str, str]) -> None:
        self._schemas = schemas
        self._origin = origin
        self.definition = ""                    # full name of the type, of an object
        self.items: Schema | None = None
        self.values: Schema | None = None
        self.format: str = raw.get("format", "")
        self.nullable = True
        self._map_type: str = raw.get("x-kubernetes-map-type", "")
        self._set_type(raw)
        self.list_type: str = raw.get("x-kubernetes-list-type", "")
        self.list_map_keys: tuple[str, ...] = tuple(raw.get("x-kubernetes-list-map-keys", ()))
        self.patch_strategy: str = raw.get("x-kubernetes-patch-strategy", "")
        self.patch_merge_key: str = raw.get("x-kubernetes-patch-merge-key", "")

    def _set_type(self, raw: RawSchema) -> None:
        if "$ref" in raw:
            target = raw["$ref"].removeprefix(REF_PREFIX)
            if target in VALUE_TYPES:
                self.type, self.format = VALUE_TYPES[target]
            elif target in EMPTY_OBJECTS or self._schemas.has_properties(target):
                self.type, self.definition = "object", target
            else:
                self.type = "any"
                if target == RAW_EXTENSION:
                    self._map_type = "atomic"
            return
        types = raw.get("type", "any")
        self.type = types if isinstance(types, str) else types[0]
        self.nullable = not isinstance(types, str)
        if self.type == "array":
            self.items = Schema(raw["items"], self._schemas, self._origin)
        elif self.type == "object":
            self.type = "map" if "additionalProperties" in raw else "any"
            if self.type == "map":
                self.values = Schema(raw["additionalProperties"], self._schemas, self._origin)

    @property
    def properties(self) -> dict[str, Schema]:
        return self._schemas.definition(self.definition).properties if self.definition else {}

    @property
    def required(self) -> tuple[str, ...]:
        return self._schemas.definition(self.definition).required if self.definition else ()

    @property
    def map_type(self) -> str:
        """atomic, granular or "": of the field, else of its type. What the server does not look into is atomic."""
        return self._map_type or (self._schemas.definition(self.definition).map_type if self.definition else "")

    @property
    def description(self) -> str:
        """Read from the source again each time: prose is asked for rarely and would be most of the memory."""
        owner, key = self._origin
        raw = self._schemas.raw(owner)
        text: str = (raw["properties"][key] if key else raw).get("description", "")
        return text

    @property
    def go_type(self) -> str:
        """How Go prints the field's type, for error messages: int32, []v1.Container, map[string]string."""
        if self.type == "object":
            *_, version, name = self.definition.split(".")
            return f"{version}.{name}"
        if self.items is not None:
            return "[]" + self.items.go_type
        if self.values is not None:
            return "v1.ResourceList" if self.values.type == "quantity" else "map[string]" + self.values.go_type
        if self.type == "integer":
            return self.format or "int64"
        if self.type == "string" and (named := dict(wire_form(self._origin[0]).string_types).get(self._origin[1])):
            return named
        if self.format == "byte":
            return "[]uint8"
        return GO_SCALARS[self.type]

    def __repr__(self) -> str:
        return f"Schema({'.'.join(part for part in self._origin if part)}: {self.go_type})"


class Schemas:
    """All definitions of one Kubernetes version."""

    def __init__(self, version: str = KUBERNETES_VERSION) -> None:
        self.version = version
        self._raw = load_raw_definitions(version)
        self._definitions: dict[str, Definition] = {}
        self._kinds: dict[str, Schema | None] = {}
        self._custom: dict[GroupVersionKind, Schema | Callable[[], Schema]] = {}

    def for_kind(self, gvk: GroupVersionKind) -> Schema | None:
        if (custom := self._custom.get(gvk)) is None:
            return self.for_definition(definition_name(gvk))
        if not isinstance(custom, Schema):
            custom = self._custom[gvk] = custom()
        return custom

    def add_kind(self, gvk: GroupVersionKind, make: Callable[[], Schema]) -> None:
        """Of a custom kind; made when first asked for."""
        self._custom[gvk] = make

    def remove_kind(self, gvk: GroupVersionKind) -> None:
        self._custom.pop(gvk, None)

    def for_definition(self, name: str) -> Schema | None:
        if name not in self._kinds:
            self._kinds[name] = Schema({"$ref": REF_PREFIX + name}, self, (name, "")) if name in self._raw else None
        return self._kinds[name]

    def definition(self, name: str) -> Definition:
        if (definition := self._definitions.get(name)) is None:
            definition = self._definitions[name] = Definition(name, self.raw(name), self)
        return definition

    def has_properties(self, name: str) -> bool:
        if (known := self._definitions.get(name)) is not None:
            return bool(known.properties)
        return b'"properties":' in bytes(self._raw[name])

    def raw(self, name: str) -> RawSchema:
        raw: RawSchema = msgspec.json.decode(self._raw[name])
        return raw

    def names(self) -> list[str]:
        return list(self._raw)


@cache
def schemas() -> Schemas:
    """The schemas of the version this cluster runs, loaded on first use and shared."""
    return Schemas()
