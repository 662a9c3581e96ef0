"""Types as the checker knows them.

A Type is its kind, name and parameters; equality looks at nothing else. What a schema adds (`fields`, the most elements a value can
have, the least bytes it takes as JSON) rides along for cost estimates and conversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


class Type:
    """Immutable. `kind`: bool int uint double string bytes null dyn timestamp duration list map object opaque type param error."""

    __slots__ = ("declared", "element_keys", "fields", "kind", "max_elements", "min_size", "name", "params")

    def __init__(
        self, kind: str, name: str = "", params: tuple[Type, ...] = (), *, fields: Mapping[str, Field] | None = None,
        max_elements: int = 0, min_size: int = 1, declared: bool = False, element_keys: tuple[str, ...] | None = None,
    ) -> None:
        self.kind = kind
        self.name = name or kind
        self.params = params
        self.fields = fields                # objects only: escaped name -> field
        self.max_elements = max_elements    # of a schema's strings, lists and maps
        self.min_size = min_size            # bytes of the shortest JSON
        self.declared = declared            # comes from a schema: its sizes mean something
        self.element_keys = element_keys    # x-kubernetes-list-type: () of a set, the keys of a map

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Type) and self.kind == other.kind and self.name == other.name and self.params == other.params

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.params))

    def __str__(self) -> str:
        """As error messages show it: "list(int)"."""
        if not self.params:
            return self.name
        return f"{self.name}({', '.join(map(str, self.params))})"

    def __repr__(self) -> str:
        return f"Type({self})"

    @property
    def element(self) -> Type:
        """Of a list's items, a map's values."""
        return self.params[-1]


class Field:
    """A field of an object: its type, its name in JSON."""

    __slots__ = ("key", "type")

    def __init__(self, type_: Type, key: str) -> None:
        self.type = type_
        self.key = key


BOOL: Final = Type("bool")
INT: Final = Type("int")
UINT: Final = Type("uint")
DOUBLE: Final = Type("double")
STRING: Final = Type("string")
BYTES: Final = Type("bytes")
NULL: Final = Type("null")
DYN: Final = Type("dyn")
TIMESTAMP: Final = Type("timestamp")
DURATION: Final = Type("duration")
ERROR: Final = Type("error", "!error!")
TYPE: Final = Type("type")

SCALARS: Final = frozenset({"bool", "int", "uint", "double", "timestamp", "duration"})   # one unit of size each


def list_of(element: Type, *, max_elements: int = 0) -> Type:
    return Type("list", "list", (element,), max_elements=max_elements)


def map_of(key: Type, value: Type, *, max_elements: int = 0) -> Type:
    return Type("map", "map", (key, value), max_elements=max_elements)


def optional_of(value: Type) -> Type:
    return Type("opaque", "optional_type", (value,))


def type_of_type(value: Type) -> Type:
    return Type("type", "type", (value,))


def param(name: str) -> Type:
    return Type("param", name)


def ObjectType(name: str, fields: Mapping[str, Type], *, keys: Mapping[str, str] | None = None, min_size: int = 2) -> Type:  # noqa: N802
    """A type with named fields. `keys`: the JSON name of a field whose name in expressions is escaped."""
    keys = keys or {}
    return Type("object", name, fields={field: Field(type_, keys.get(field, field)) for field, type_ in fields.items()}, min_size=min_size)


def is_optional(type_: Type) -> bool:
    return type_.kind == "opaque" and type_.name == "optional_type"


def is_dyn(type_: Type) -> bool:
    """Nothing is known: dyn, or what an earlier error left."""
    return type_.kind in ("dyn", "error")


URL: Final = Type("object", "kubernetes.URL")
QUANTITY: Final = Type("object", "kubernetes.Quantity")
SEMVER: Final = Type("object", "kubernetes.Semver")
FORMAT: Final = Type("object", "kubernetes.NamedFormat")
IP: Final = Type("opaque", "net.IP")
CIDR: Final = Type("opaque", "net.CIDR")
AUTHORIZER: Final = Type("object", "kubernetes.authorization.Authorizer")
PATH_CHECK: Final = Type("object", "kubernetes.authorization.PathCheck")
GROUP_CHECK: Final = Type("object", "kubernetes.authorization.GroupCheck")
RESOURCE_CHECK: Final = Type("object", "kubernetes.authorization.ResourceCheck")
DECISION: Final = Type("object", "kubernetes.authorization.Decision")

# What an expression may name as a type: `type(x) == string`.
TYPE_NAMES: Final[Mapping[str, Type]] = {
    "bool": BOOL, "bytes": BYTES, "double": DOUBLE, "google.protobuf.Duration": DURATION, "int": INT, "list": list_of(DYN),
    "map": map_of(DYN, DYN), "null_type": NULL, "string": STRING, "google.protobuf.Timestamp": TIMESTAMP, "type": TYPE, "uint": UINT,
    "net.IP": IP, "net.CIDR": CIDR, "optional_type": optional_of(DYN),
}

Bindings = Mapping[str, Any]
