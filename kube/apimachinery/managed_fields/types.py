"""Schemas as apply looks at them: for every value, may it be a map, a list, a scalar, and is that owned whole or by its parts.

Follows kube-openapi's schemaconv. Beside the schemas' own words it knows what upstream's OpenAPI documents say and the package of schemas
does not: the default of fields that are keys of lists, and which fields Go always writes (structs that are no pointers, and required
ones), so that nobody becomes the owner of a bare `spec: {}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from kube.apimachinery.custom_schema import CustomSchema
from kube.apimachinery.schema import Schema, schemas
from kube.apimachinery.scheme import GroupVersionKind

SCALARS: Final = {"string": "string", "boolean": "boolean", "integer": "numeric", "number": "numeric"}
BUILT_IN: Final = "io.k8s."
ZERO: Final[Mapping[str, Any]] = {"string": "", "integer": 0, "number": 0, "boolean": False}

KEY_DEFAULTS: Final = {
    ("ContainerPort", "protocol"): "TCP", ("ServicePort", "protocol"): "TCP", ("LocalObjectReference", "name"): "",
}
# Fields that hold a struct, no pointer to one, wherever they are ...
STRUCTS: Final = frozenset({
    "metadata", "spec", "status", "template", "jobTemplate", "target", "updateStrategy", "strategy", "metric", "current", "clientConfig",
    "loadBalancer", "priorityLevelConfiguration", "limitResponse", "scaleTargetRef", "describedObject", "roleRef", "state", "lastState",
    "involvedObject", "regarding", "deprecatedSource", "daemonEndpoints", "kubeletEndpoint", "nodeInfo", "preference", "podAffinityTerm",
    "devices", "taint", "pool",
})
# ... but here, ...
POINTERS: Final = frozenset({("ReplicationControllerSpec", "template"), ("ResourcePoolStatusRequest", "status")})
# ... and those that do only here.
STRUCTS_OF: Final = frozenset({
    ("Container", "resources"), ("EphemeralContainer", "resources"), ("PersistentVolumeClaimSpec", "resources"),
    ("HTTPIngressPath", "backend"), ("Event", "source"), ("VolumeAttachmentSpec", "source"), ("NetworkPolicySpec", "podSelector"),
    ("Endpoint", "conditions"), ("IngressServiceBackend", "port"), ("StorageVersionMigrationSpec", "resource"),
})


class MapType:
    """`fields` are declared; `values` is the type of all others, None when there may be no others."""

    __slots__ = ("_fields", "_implied", "_preserve", "_schema", "atomic", "values")

    def __init__(self, schema: Schema | None, values: FieldType | None, *, atomic: bool, preserve: bool = False) -> None:
        self._schema = schema
        self._preserve = preserve
        self._fields: dict[str, FieldType] | None = None
        self._implied: dict[str, Any] | None = None
        self.values = values
        self.atomic = atomic

    @property
    def fields(self) -> dict[str, FieldType]:
        """Made when first asked for: types refer to themselves, and most are never met."""
        if self._fields is None:
            properties = self._schema.properties if self._schema is not None else {}
            self._fields = {name: field_type(schema, preserve=self._preserve) for name, schema in properties.items()}
        return self._fields

    @property
    def definition(self) -> str:
        """The full name of a struct's type."""
        return self._schema.definition if self._schema is not None else ""

    def of(self, name: str) -> FieldType | None:
        return self.fields.get(name) or self.values

    @property
    def implied(self) -> dict[str, Any]:
        """What a field that is not there still holds: {} for a struct, null or zero for other fields that Go always writes."""
        if self._implied is None:
            self._implied = _implied(self._schema) if self._schema is not None else {}
        return self._implied


class ListType:
    """`keys` of a list of maps; a list that is not atomic and has none is a set."""

    __slots__ = ("atomic", "defaults", "items", "keys")

    def __init__(self, items: FieldType, *, atomic: bool, keys: tuple[str, ...] = (), defaults: Mapping[str, Any] | None = None) -> None:
        self.items = items
        self.atomic = atomic
        self.keys = keys
        self.defaults = defaults or {}


class FieldType:
    """What a value may be; several at once where the schema does not say. `scalar` is string, boolean, numeric, untyped or ""."""

    __slots__ = ("list", "map", "scalar")

    def __init__(self, scalar: str = "", map_: MapType | None = None, list_: ListType | None = None) -> None:
        self.scalar = scalar
        self.map = map_
        self.list = list_

    @property
    def built_in(self) -> bool:
        return self.map is not None and self.map.definition.startswith(BUILT_IN)

    def form(self, value: Any) -> str:
        """Which of its forms a value is looked at in: map, list or scalar. A value of none of them is taken for the first."""
        if isinstance(value, dict):
            if self.map is not None:
                return "map"
        elif isinstance(value, list):
            if self.list is not None:
                return "list"
        elif self.scalar and isinstance(value, str | int | float):
            return "scalar"
        return "map" if self.map is not None else "scalar" if self.scalar else "list"


def _untyped() -> FieldType:
    """Whatever it is, it is owned as a whole."""
    found = FieldType("untyped")
    found.map = MapType(None, found, atomic=True)
    found.list = ListType(found, atomic=True)
    return found


def _deduced() -> FieldType:
    """Typed by what is found: maps by their parts, lists as a whole."""
    found = FieldType("untyped")
    found.map = MapType(None, found, atomic=False)
    found.list = ListType(UNTYPED, atomic=True)
    return found


UNTYPED: Final = _untyped()
DEDUCED: Final = _deduced()
UNTYPED_SCALAR: Final = FieldType("untyped")
_PLAIN: Final = {name: FieldType(name) for name in ("string", "boolean", "numeric")}


def field_type(schema: Schema, *, preserve: bool = False) -> FieldType:
    """`preserve`: maps here may hold fields that nobody has declared (a custom kind's schema says so, for all that is below)."""
    kind = schema.type
    preserve = preserve or (isinstance(schema, CustomSchema) and schema.preserve_unknown_fields)
    if kind in ("object", "map"):
        return FieldType(map_=_map_type(schema, preserve))
    if kind == "array":
        return FieldType(list_=_list_type(schema, preserve))
    if kind == "any":
        return UNTYPED if schema.map_type == "atomic" else DEDUCED
    if kind in SCALARS:
        return _PLAIN[SCALARS[kind]] if schema.format in ("", "byte") or kind != "string" else UNTYPED_SCALAR
    return UNTYPED_SCALAR


def _map_type(schema: Schema, preserve: bool) -> MapType:
    values = field_type(schema.values, preserve=preserve) if schema.values is not None else None
    if values is None and (preserve or (isinstance(schema, CustomSchema) and not schema.properties)):
        values = DEDUCED
    return MapType(schema, values, atomic=schema.map_type == "atomic", preserve=preserve)


def _list_type(schema: Schema, preserve: bool) -> ListType:
    assert schema.items is not None
    items = field_type(schema.items, preserve=preserve)
    if schema.list_type not in ("map", "set"):
        return ListType(items, atomic=True)
    defaults = {key: default for key in schema.list_map_keys if (default := _key_default(schema.items, key)) is not None}
    return ListType(items, atomic=False, keys=schema.list_map_keys, defaults=defaults)


def _key_default(items: Schema, key: str) -> Any:
    """Which value a key has where an item leaves it out; None where that is another item than any with a value."""
    if isinstance(items, CustomSchema):
        return getattr(items.properties.get(key), "default", None)
    named = KEY_DEFAULTS.get((_short(items.definition), key))
    if named is not None or key not in items.required:
        return named
    return ZERO.get(items.properties[key].type)


def _implied(schema: Schema) -> dict[str, Any]:
    if isinstance(schema, CustomSchema):
        return {}
    short, found = _short(schema.definition), dict[str, Any]()
    for name, child in schema.properties.items():
        struct = child.type == "object" and ((name in STRUCTS and (short, name) not in POINTERS) or (short, name) in STRUCTS_OF)
        if struct:
            found[name] = {}
        elif name in schema.required:
            found[name] = ZERO.get(child.type) if not child.format else None
    return found


def _short(definition: str) -> str:
    return definition.rpartition(".")[2]


@lru_cache(maxsize=512)
def _type_of(schema: Schema) -> FieldType:
    return field_type(schema)


def type_for(gvk: GroupVersionKind) -> FieldType:
    """The type of a kind; of one that nobody has a schema for, the deduced one."""
    schema = schemas().for_kind(gvk)
    return DEDUCED if schema is None else _type_of(schema)
