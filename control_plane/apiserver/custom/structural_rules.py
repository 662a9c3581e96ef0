"""Which keywords may stand where: the rules of a structural schema. Follows apiextensions' schema/validation.go and complete.go.

A schema first says the structure, once, outside of allOf, anyOf, oneOf and not; what stands within those may only restrict values.
"""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.custom.structural import Structural
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.regex import RegexError, compiled
from kube.apimachinery.validation import forbidden, invalid, required

ROOT: Final = "must not be empty at the root"
ITEM: Final = "must not be empty for specified array items"
FIELD: Final = "must not be empty for specified object fields"
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
# What is forbidden in a nested schema: keyword -> how it may be there after all.
_FORBIDDEN: Final = (
    ("type", "must be empty to be structural"), ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"), ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"), ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"), ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"), ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"), ("x-kubernetes-validations", "must be empty to be structural"),
)


def structural_causes(schema: Structural, path: str) -> list[Cause]:
    """Everything that keeps a schema from being structural, sorted."""
    causes = _invariants(schema, ROOT, path) + _completeness(schema, path)
    return sorted(causes, key=lambda cause: f"{cause.field}: {cause.message}")


def _invariants(schema: Structural, level: str, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if schema.type == "array" and schema.items is None:
        causes.append(required(f"{path}.items", "must be specified"))
    if schema.items is not None:
        causes += _invariants(schema.items, ITEM, f"{path}.items")
    for key, child in schema.properties.items():
        causes += _invariants(child, FIELD, f"{path}.properties[{key}]")
    if schema.declares_additional and level is ROOT:
        causes.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
    if schema.additional is not None:
        causes += _invariants(schema.additional, FIELD, f"{path}.additionalProperties")
    causes += _extension_causes(schema, path)
    any_of_raw, all_of_raw = schema.raw.get("anyOf") or [], schema.raw.get("allOf") or []
    causes += _value_causes(
        schema, path, skip_any_of=_same(any_of_raw), skip_first=bool(all_of_raw) and _same((all_of_raw[0] or {}).get("anyOf") or []))
    causes += _type_causes(schema, level, path)
    check_meta = level is ROOT or schema.embedded
    for key in ("kind", "apiVersion"):
        if check_meta and key in schema.properties and schema.properties[key].type != "string":
            causes.append(invalid(f"{path}.properties[{key}].type", schema.properties[key].type, "must be string"))
    if (metadata := schema.properties.get("metadata")) is not None:
        causes += _metadata_causes(metadata, check_meta, level, f"{path}.properties[metadata]")
    if schema.embedded and not schema.preserve and not schema.properties:
        causes.append(required(f"{path}.properties", "must not be empty if x-kubernetes-embedded-resource is true without "
                                                     "x-kubernetes-preserve-unknown-fields"))
    return causes


def _same(alternatives: list[JsonObject]) -> bool:
    return [{key: value for key, value in (one or {}).items() if value} for one in alternatives] == _INT_OR_STRING


def _extension_causes(schema: Structural, path: str) -> list[Cause]:
    said = "must be false if x-kubernetes-int-or-string is true"
    return [
        invalid(f"{path}.{key}", True, said)
        for key, there in (("x-kubernetes-preserve-unknown-fields", schema.preserve), ("x-kubernetes-embedded-resource", schema.embedded))
        if schema.int_or_string and there
    ]


def _type_causes(schema: Structural, level: str, path: str) -> list[Cause]:
    causes: list[Cause] = []
    said = "must be object if x-kubernetes-embedded-resource is true"
    if schema.embedded and schema.type != "object":
        causes.append(invalid(f"{path}.type", schema.type, said) if schema.type else required(f"{path}.type", said))
    elif not schema.type and not schema.int_or_string and not schema.preserve:
        causes.append(required(f"{path}.type", level))
    if schema.embedded and schema.declares_additional:
        causes.append(forbidden(f"{path}.additionalProperties", "must not be used if x-kubernetes-embedded-resource is set"))
    if level is ROOT and schema.type and schema.type != "object":
        causes.append(invalid(f"{path}.type", schema.type, "must be object at the root"))
    return causes


def _metadata_causes(metadata: Structural, check: bool, level: str, path: str) -> list[Cause]:
    causes = [invalid(f"{path}.type", metadata.type, "must be object")] if check and metadata.type != "object" else []
    if level is ROOT:
        ignored = ("type", "default", "properties")
        rest = [key for key, value in metadata.raw.items() if key not in ignored and value not in (None, False)]
        if rest or set(metadata.properties) - {"name", "generateName"}:
            said = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            causes.append(forbidden(path, said))
    return causes


def _value_causes(schema: Structural, path: str, *, skip_any_of: bool = False, skip_first: bool = False) -> list[Cause]:
    causes: list[Cause] = []
    if not skip_any_of:
        for index, child in enumerate(schema.any_of):
            causes += _nested_causes(child, f"{path}.anyOf[{index}]")
    for index, child in enumerate(schema.all_of):
        causes += _nested_causes(child, f"{path}.allOf[{index}]", skip_any_of=skip_first and index == 0)
    for index, child in enumerate(schema.one_of):
        causes += _nested_causes(child, f"{path}.oneOf[{index}]")
    if schema.not_ is not None:
        causes += _nested_causes(schema.not_, f"{path}.not")
    if schema.pattern:
        try:
            compiled(schema.pattern)
        except RegexError as error:
            said = f"must be a valid regular expression, but isn't: {error}"
            causes.append(invalid(f"{path}.pattern", schema.pattern, said))
    return causes


def _nested_causes(schema: Structural, path: str, *, skip_any_of: bool = False) -> list[Cause]:
    causes = _value_causes(schema, path, skip_any_of=skip_any_of)
    if schema.items is not None:
        causes += _nested_causes(schema.items, f"{path}.items")
    for key, child in schema.properties.items():
        causes += _nested_causes(child, f"{path}.properties[{key}]")
    for keyword, said in _FORBIDDEN:
        value = schema.raw.get(keyword)
        if value or (value is not None and keyword in ("additionalProperties", "default")):
            causes.append(forbidden(f"{path}.{keyword}", said))
    if "metadata" in schema.properties:
        causes.append(forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context"))
    return causes


def _completeness(schema: Structural, path: str) -> list[Cause]:
    """Every field that a restriction at the root speaks of must stand in the structure (upstream does not ask it of restrictions below)."""
    causes: list[Cause] = []
    for keyword, nested in (("allOf", schema.all_of), ("anyOf", schema.any_of), ("oneOf", schema.one_of)):
        for index, child in enumerate(nested):
            causes += _nested_completeness(child, schema, f"{path}.{keyword}[{index}]", path)
    if schema.not_ is not None:
        causes += _nested_completeness(schema.not_, schema, f"{path}.not", path)
    return causes


def _nested_completeness(schema: Structural, structure: Structural | None, path: str, where: str) -> list[Cause]:
    if structure is None:
        return [required(where, f"because it is defined in {path}")]
    causes: list[Cause] = []
    for keyword, nested in (("allOf", schema.all_of), ("anyOf", schema.any_of), ("oneOf", schema.one_of)):
        for index, child in enumerate(nested):
            causes += _nested_completeness(child, structure, f"{path}.{keyword}[{index}]", where)
    if schema.not_ is not None:
        causes += _nested_completeness(schema.not_, structure, f"{path}.not", where)
    if schema.items is not None:
        causes += _nested_completeness(schema.items, structure.items, f"{path}.items", f"{where}.items")
    for key, child in schema.properties.items():
        at = f"{path}.properties[{key}]"
        if key in structure.properties:
            causes += _nested_completeness(child, structure.properties[key], at, f"{where}.properties[{key}]")
        else:
            causes.append(required(f"{where}.properties[{key}]", f"because it is defined in {at}"))
    return causes
