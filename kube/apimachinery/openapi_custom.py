"""What OpenAPI documents say of custom kinds. Follows apiextensions' controller/openapi/builder.

v3 shows the schema as it is; v2, older than nullable values and alternatives, shows what is left without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import META_V1, RawSchema, schemas
from kube.apimachinery.scheme import ResourceType

GROUP_VERSION_KIND: Final = "x-kubernetes-group-version-kind"
_CONVENTIONS: Final = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_EXAMPLE: Final = "io.k8s.api.core.v1.ConfigMap"       # whose apiVersion, kind and metadata are described as everywhere
_JUNCTORS: Final = ("allOf", "oneOf", "anyOf", "not")
_ALTERNATIVES: Final = [{"type": "integer"}, {"type": "string"}]
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


def model_name(group: str, version: str, kind: str) -> str:
    """stable.example.com/v1 CronTab -> com.example.stable.v1.CronTab"""
    return f"{'.'.join(reversed(group.split('.')))}.{version}.{kind}"


def custom_definitions(rows: Iterable[ResourceType]) -> dict[str, tuple[ResourceType, bool]]:
    """By name: the row, and whether its list is meant."""
    found: dict[str, tuple[ResourceType, bool]] = {}
    for row in rows:
        if row.custom is not None:
            found[model_name(row.group, row.version, row.kind)] = (row, False)
            found[model_name(row.group, row.version, row.list_kind)] = (row, True)
    return found


def published(row: ResourceType, reference: str, *, version: int) -> RawSchema:
    """The kind's schema as the document shows it."""
    raw: JsonObject = row.custom.raw_schema
    if not raw or (version == 2 and raw.get(_PRESERVE)):      # with fields, kubectl would take all others for unknown
        found: RawSchema = {"type": "object"}
    else:
        found = _simplified(raw) if version == 2 else _unfolded(raw)
        found.setdefault("properties", {})
        found["properties"] = {**found["properties"], **_envelope(reference, version)}
        _embed(found, reference, version)
    return found | _extensions(row, row.kind)


def published_list(row: ResourceType, reference: str, *, version: int) -> RawSchema:
    item = {"$ref": reference + model_name(row.group, row.version, row.kind)}
    items = {"type": "array", "items": item, "description": f"List of {row.plural}. More info: {_CONVENTIONS}"}
    properties = {**_envelope(reference, version, "ListMeta"), "items": items}
    return {
        "description": f"{row.list_kind} is a list of {row.kind}", "type": "object", "required": ["items"], "properties": properties,
        **_extensions(row, row.list_kind),
    }


def references(name: str) -> list[str]:
    """The built-in types that a custom one needs."""
    return [META_V1 + "ObjectMeta", META_V1 + "ListMeta"]


def _extensions(row: ResourceType, kind: str) -> RawSchema:
    found: RawSchema = {GROUP_VERSION_KIND: [{"group": row.group, "kind": kind, "version": row.version}]}
    fields = row.custom.spec.get("selectableFields") or ()
    if fields:
        found["x-kubernetes-selectable-fields"] = [{"fieldPath": field["jsonPath"].removeprefix(".")} for field in fields]
    return found


def _envelope(reference: str, version: int, metadata: str = "ObjectMeta") -> RawSchema:
    described = schemas().raw(_EXAMPLE + ("List" if metadata == "ListMeta" else ""))["properties"]
    target: RawSchema = {"$ref": f"{reference}{META_V1}{metadata}"}
    meta = target if version == 2 else {"allOf": [target]}
    return {
        "apiVersion": {"description": described["apiVersion"].get("description", ""), "type": "string"},
        "kind": {"description": described["kind"].get("description", ""), "type": "string"},
        "metadata": {"description": described["metadata"].get("description", ""), **meta},
    }


def _unfolded(raw: JsonObject) -> RawSchema:
    """A copy in which the two types of an int-or-string are said."""
    found: RawSchema = {}
    for key, value in raw.items():
        if key == "properties":
            found[key] = {name: _unfolded(child) for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            found[key] = _unfolded(value)
        elif value is not False or key in ("default", "additionalProperties"):
            found[key] = value
    if raw.get("x-kubernetes-int-or-string"):
        first = (raw.get("allOf") or [{}])[0]
        if raw.get("anyOf") is None:
            found["anyOf"] = _ALTERNATIVES
        elif raw["anyOf"] != _ALTERNATIVES and first.get("anyOf") != _ALTERNATIVES:
            found["allOf"] = [{"anyOf": _ALTERNATIVES}, *(raw.get("allOf") or ())]
    return found


def _simplified(raw: JsonObject) -> RawSchema:
    found: RawSchema = {
        key: value for key, value in raw.items()
        if key not in (*_JUNCTORS, "nullable", "properties", "items", "additionalProperties") and value is not False
    }
    nullable, preserve = raw.get("nullable"), raw.get(_PRESERVE)
    properties = raw.get("properties") or {}
    if not nullable and not preserve:      # fields beside a missing type would break kubectl
        if isinstance(raw.get("items"), dict):
            found["items"] = _simplified(raw["items"])
        if properties:
            found["properties"] = {name: _simplified(child) for name, child in properties.items()}
    additional = raw.get("additionalProperties")
    if isinstance(additional, dict):
        found["additionalProperties"] = _simplified(additional)
        if additional.get("nullable"):
            found.pop("required", None)
    elif additional:
        found["additionalProperties"] = True
    if nullable or (preserve and raw.get("type") == "object") or (raw.get("type") == "array" and "items" not in found):
        found.pop("type", None)
    if required := [name for name in found.get("required") or () if not properties.get(name, {}).get("nullable")]:
        found["required"] = required
    else:
        found.pop("required", None)
    return found


def _embed(schema: RawSchema, reference: str, version: int) -> None:
    """Objects within the object have apiVersion, kind and metadata too. In place."""
    children: list[Any] = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for child in children:
        if isinstance(child, dict):
            _embed(child, reference, version)
    if schema.get("x-kubernetes-embedded-resource") and not (version == 2 and schema.get(_PRESERVE)):
        schema["properties"] = {**(schema.get("properties") or {}), **_envelope(reference, version)}
        required = list(schema.get("required") or ())
        schema["required"] = required + [name for name in ("kind", "apiVersion") if name not in required]
