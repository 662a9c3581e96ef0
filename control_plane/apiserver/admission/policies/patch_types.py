"""The types that mutations make: Object, Object.spec and so on with any fields, and JSONPatch. Follows apiserver's cel/mutation.

That the name of a nested type is the path of the field it stands in is looked at when it has been made.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kube.cel.types import DYN, STRING, Field, ObjectType, Type, list_of
from kube.cel.values import Duration, Message, Optional, Timestamp, UInt

EXTENSION: Final = frozenset({"jsonpatch"})
JSON_PATCH: Final = ObjectType("JSONPatch", {"op": STRING, "path": STRING, "from": STRING, "value": DYN})


class _AnyField(Mapping[str, Field]):
    def __getitem__(self, name: str) -> Field:
        return Field(DYN, name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1        # counts as true: `fields or {}`


class _PatchTypes(Mapping[str, Type]):
    def __getitem__(self, name: str) -> Type:
        if name == JSON_PATCH.name:
            return JSON_PATCH
        if name == "Object" or name.startswith("Object."):
            return Type("object", name, fields=_AnyField())
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter((JSON_PATCH.name, "Object"))

    def __len__(self) -> int:
        return 2


PATCH_TYPES: Final[Mapping[str, Type]] = _PatchTypes()
OBJECT: Final = PATCH_TYPES["Object"]
OPERATIONS: Final = list_of(JSON_PATCH)


def check_type_names(value: Any, path: str) -> None:
    """`Object.spec{selector: Object.spec.wrong{}}` is a slip. Raises ValueError."""
    if isinstance(value, Message):
        if value.type_name != path:
            what = "which matches field name path from root Object type"
            raise ValueError(f"type mismatch: unexpected type name {json.dumps(value.type_name)}, expected {json.dumps(path)}, {what}")
        for key, inner in value.items():
            check_type_names(inner, f"{path}.{key}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            check_type_names(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            check_type_names(inner, path)


def to_json(value: Any) -> Any:
    """A value of an expression as JSON. Raises ValueError for what has no form there."""
    if isinstance(value, dict):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_json(inner) for inner in value]
    if isinstance(value, Optional):
        return to_json(value.value) if value.present else None
    if isinstance(value, UInt):
        return int(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Timestamp | Duration):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"unsupported type: {type(value).__name__}")
