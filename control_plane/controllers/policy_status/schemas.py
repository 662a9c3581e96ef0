"""Schemas of kinds as expressions are checked against them: references replaced by what they name. Follows cel/openapi/resolver.

A definition that contains itself is there an object without fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import META_V1, REF_PREFIX, definition_name
from kube.apimachinery.scheme import GroupVersionKind
from kube.apimachinery.upstream import load_raw_definitions

INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_OBJECT: Final = {"type": "object"}
_TEXT: Final = {"type": "string"}


class Definitions:
    """Of the built-in kinds. Read anew for each policy: policies seldom change, and the text is 2 MB."""

    def __init__(self) -> None:
        self._raw = load_raw_definitions()
        self._decoded: dict[str, JsonObject] = {}

    def of_kind(self, gvk: GroupVersionKind) -> JsonObject | None:
        name = definition_name(gvk)
        return self.of(name) if name in self._raw else None

    def of(self, name: str) -> JsonObject:
        return self._whole({"$ref": REF_PREFIX + name}, frozenset())

    def _whole(self, schema: Mapping[str, Any], within: frozenset[str]) -> JsonObject:
        if reference := schema.get("$ref"):
            name = reference.removeprefix(REF_PREFIX)
            if name == INT_OR_STRING:
                return {"x-kubernetes-int-or-string": True}
            if name in within:
                return dict(_OBJECT)
            within |= {name}
            schema = self._definition(name)
        found = _mapped(schema, lambda inner: self._whole(inner, within))
        if isinstance(types := schema.get("type"), list):       # ["string", "null"]
            found["type"] = types[0]
        return found

    def _definition(self, name: str) -> JsonObject:
        if name not in self._decoded:
            self._decoded[name] = msgspec.json.decode(self._raw[name])
        return self._decoded[name]


def of_custom_kind(definition: JsonObject, version: str, definitions: Definitions) -> JsonObject | None:
    """What OpenAPI shows of one version of a CustomResourceDefinition."""
    for one in definition["spec"]["versions"]:
        if one["name"] == version:
            schema = (one.get("schema") or {}).get("openAPIV3Schema") or _OBJECT
            return _as_resource(_with_embedded(schema, definitions), definitions)
    return None


def _with_embedded(schema: Mapping[str, Any], definitions: Definitions) -> JsonObject:
    found = _mapped(schema, lambda inner: _with_embedded(inner, definitions))
    return _as_resource(found, definitions) if schema.get("x-kubernetes-embedded-resource") else found


def _as_resource(schema: JsonObject, definitions: Definitions) -> JsonObject:
    described = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": definitions.of(META_V1 + "ObjectMeta")}
    return {**schema, "properties": {**schema.get("properties", {}), **described}}


def _mapped(schema: Mapping[str, Any], change: Callable[[Mapping[str, Any]], JsonObject]) -> JsonObject:
    """A copy with every schema right below it changed."""
    found = dict(schema)
    if properties := schema.get("properties"):
        found["properties"] = {name: change(inner) for name, inner in properties.items()}
    for key in ("items", "additionalProperties"):
        if isinstance(inner := schema.get(key), Mapping):
            found[key] = change(inner)
    return found
