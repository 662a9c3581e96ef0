"""Objects within objects (x-kubernetes-embedded-resource), and the metadata of objects whose schema does not describe it.

Follows apiextensions' schema/objectmeta: metadata takes the form of ObjectMeta whatever the kind, and its rules hold wherever it stands.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from control_plane.apiserver.custom.structural import Structural
from control_plane.apiserver.strategies.metadata import validate_object_meta
from kube.apimachinery.decode import check_structure
from kube.apimachinery.errors import ApiError, BadRequest, Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import META_V1, Schema, schemas
from kube.apimachinery.scheme import GroupVersion
from kube.apimachinery.validation import dns1035_problems, invalid, path_segment_problems, required


@cache
def _object_meta() -> Schema:
    schema = schemas().for_definition(META_V1 + "ObjectMeta")
    assert schema is not None
    return schema


def coerce_metadata(obj: JsonObject, unknown: list[str], path: str = "metadata") -> None:
    """Brings `metadata` into ObjectMeta's form, in place. Raises BadRequest in the decoder's words."""
    if (metadata := obj.get("metadata")) is None:
        obj.pop("metadata", None)
        return
    problems = check_structure(metadata, _object_meta())
    unknown.extend(f"{path}.{name}" for name in problems.unknown)


def has_embedded(schema: Structural | None) -> bool:
    if schema is None:
        return False
    return schema.embedded or any(has_embedded(child) for child in (*schema.properties.values(), schema.additional, schema.items))


def coerce(value: Any, schema: Structural | None, unknown: list[str], path: str = "") -> Cause | None:
    """The metadata of embedded objects, in place; the first that cannot be coerced is told."""
    if schema is None:
        return None
    if isinstance(value, dict):
        if schema.embedded and (cause := _coerce_envelope(value, unknown, path)):
            return cause
        for key, child in value.items():
            known = schema.properties.get(key, schema.additional)
            if known is not None and isinstance(child, dict | list) and (cause := coerce(child, known, unknown, _join(path, key))):
                return cause
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if cause := coerce(item, schema.items, unknown, f"{path}[{index}]"):
                return cause
    return None


def _coerce_envelope(value: JsonObject, unknown: list[str], path: str) -> Cause | None:
    for key in ("apiVersion", "kind"):
        if key in value and not isinstance(value[key], str):
            return invalid(_join(path, key), value[key], "must be a string")
    try:
        coerce_metadata(value, unknown, _join(path, "metadata"))
    except BadRequest as error:
        return invalid(_join(path, "metadata"), value["metadata"], str(error))
    return None


def embedded_causes(value: Any, schema: Structural | None, path: str = "", *, is_resource: bool = False) -> list[Cause]:
    """What is wrong with the objects within `value`; with `is_resource` it is one itself."""
    if schema is None:
        return []
    causes: list[Cause] = []
    if isinstance(value, dict):
        if schema.embedded or is_resource:
            causes += _envelope_causes(value, path)
        for key, child in value.items():
            if isinstance(child, dict | list):
                if (known := schema.properties.get(key)) is not None:
                    causes += embedded_causes(child, known, _join(path, key))
                elif schema.additional is not None:
                    causes += embedded_causes(child, schema.additional, f"{path}[{key}]")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            causes += embedded_causes(item, schema.items, f"{path}[{index}]")
    return causes


def _envelope_causes(value: JsonObject, path: str) -> list[Cause]:
    causes = [required(_join(path, key)) for key in ("apiVersion", "kind") if key not in value]
    if "apiVersion" in value:
        at, version = _join(path, "apiVersion"), value["apiVersion"]
        if not isinstance(version, str):
            causes.append(invalid(at, version, "must be a string"))
        elif not version:
            causes.append(invalid(at, version, "must not be empty"))
        elif version.count("/") > 1 or not GroupVersion.parse(version).version:
            causes.append(invalid(at, version, f"unexpected GroupVersion string: {version}"))
    if "kind" in value:
        at, kind = _join(path, "kind"), value["kind"]
        if not isinstance(kind, str):
            causes.append(invalid(at, kind, "must be a string"))
        elif not kind:
            causes.append(invalid(at, kind, "must not be empty"))
        elif problems := dns1035_problems(kind.lower()):
            causes.append(invalid(at, kind, f"may have mixed case, but should otherwise match: {','.join(problems)}"))
    if "metadata" in value:
        causes += _metadata_causes(value["metadata"], _join(path, "metadata"))
    return causes


def _metadata_causes(metadata: Any, path: str) -> list[Cause]:
    held = {"metadata": metadata}
    try:
        coerce_metadata(held, [])
    except ApiError as error:
        return [invalid(path, metadata, str(error))]
    named = {**(held.get("metadata") or {})}
    named["name"] = named.get("name") or "fakename"      # objects within objects need none
    return validate_object_meta(
        {"metadata": named}, namespaced=bool(named.get("namespace")), name_rule=path_segment_problems, path=path)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
