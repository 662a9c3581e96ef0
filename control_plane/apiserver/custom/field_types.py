"""What server-side apply needs to know of a custom kind's schema. Follows kube-openapi's schemaconv over the schema that is published."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from control_plane.apiserver.custom.kind import Definition, Version
from control_plane.apiserver.custom.paths import simple_path
from control_plane.apiserver.custom.structural import Structural
from kube.apimachinery.managed_fields.field_set import Path
from kube.apimachinery.managed_fields.types import (
    DEDUCED,
    SCALARS,
    UNTYPED,
    UNTYPED_SCALAR,
    FieldType,
    ListType,
    MapType,
    field_type,
)
from kube.apimachinery.schema import META_V1, schemas

_TEXT: Final = FieldType("string")


def type_in(definition: Definition, api_version: str) -> FieldType:
    """Of the kind's objects in a version; the deduced type for one that the definition does not have."""
    version = definition.versions.get(api_version.rpartition("/")[2])
    return DEDUCED if version is None else _type_of(version)


def replicas_path(definition: Definition, api_version: str) -> Path | None:
    """Where a version's scale has its replicas; None without a scale."""
    version = definition.versions.get(api_version.rpartition("/")[2])
    if version is None or version.scale is None:
        return None
    return tuple(f"f:{name}" for name in simple_path(version.scale["specReplicasPath"]))


@lru_cache(maxsize=256)
def _type_of(version: Version) -> FieldType:
    schema = version.schema
    return FieldType(map_=_map(schema, schema.preserve, is_object=True))


def _converted(schema: Structural, preserve: bool) -> FieldType:
    """`preserve`: what no schema above names may be there."""
    preserve = preserve or schema.preserve
    if schema.type == "object":
        return FieldType(map_=_map(schema, preserve, is_object=schema.embedded))
    if schema.type == "array":
        return FieldType(list_=_list(schema, preserve))
    if schema.type in SCALARS:
        plain = schema.type != "string" or schema.format in ("", "byte")
        return FieldType(SCALARS[schema.type]) if plain else UNTYPED_SCALAR
    return FieldType("untyped", _map(schema, preserve, is_object=schema.embedded), _list(schema, preserve))


def _map(schema: Structural, preserve: bool, *, is_object: bool) -> MapType:
    fields = {name: _converted(child, preserve) for name, child in schema.properties.items()}
    if is_object:
        meta = schemas().for_definition(META_V1 + "ObjectMeta")
        assert meta is not None
        fields |= {"apiVersion": _TEXT, "kind": _TEXT, "metadata": field_type(meta)}
    values: FieldType | None = None
    if schema.additional is not None:
        values = _converted(schema.additional, preserve)
    elif schema.allows_additional or preserve or not schema.properties:
        values = DEDUCED
    return MapType(None, values, atomic=schema.map_type == "atomic", fields=fields)


def _list(schema: Structural, preserve: bool) -> ListType:
    items = UNTYPED if schema.items is None else _converted(schema.items, preserve)
    if schema.list_type not in ("map", "set") or schema.items is None:
        return ListType(items, atomic=True)
    properties = schema.items.properties
    defaults: dict[str, Any] = {
        key: properties[key].default for key in schema.list_map_keys if key in properties and properties[key].has_default
    }
    return ListType(items, atomic=False, keys=schema.list_map_keys, defaults=defaults)
