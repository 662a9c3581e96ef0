"""The table of a custom kind: additionalPrinterColumns. Follows apiextensions' tableconvertor."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from control_plane.apiserver.tables.printer import Column, Table
from control_plane.apiserver.tables.text import UNKNOWN, human_duration, name_of
from kube.apimachinery.jsonpath import JsonPath, JsonPathError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import META_V1, schemas

AGE: Final = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_DOC: Final = "Custom resource definition column (in JSONPath format): "


def table_of(declared: Iterable[JsonObject]) -> Table:
    """Of a version's columns; one without any shows the age. From the first path that cannot be read on, columns are left out."""
    columns = [Column("Name", _described("name"), format="name")]
    paths: list[tuple[str, JsonPath]] = []
    for column in [*declared] or [{**AGE, "description": _described("creationTimestamp")}]:
        try:
            path = JsonPath(f"{{{column['jsonPath']}}}")
        except JsonPathError:
            break
        kind = column.get("type") or "string"
        doc = column.get("description") or f"{_DOC}{column['jsonPath']}"
        columns.append(Column(column["name"], doc, kind, column.get("format") or "", column.get("priority") or 0))
        paths.append((kind, path))

    def cells(obj: JsonObject, now: datetime) -> list[Any]:
        return [name_of(obj), *(_cell(kind, path.find(obj), now) for kind, path in paths)]

    return Table(columns, cells)


def _described(field: str) -> str:
    schema = schemas().for_definition(META_V1 + "ObjectMeta")
    return schema.properties[field].description if schema is not None else ""


def _cell(kind: str, found: list[Any], now: datetime) -> Any:
    if not found:
        return None
    value = found[0]
    if kind == "string":
        return _text(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "date":
        return _age(value, now) if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if kind == "integer" else float(value)


def _text(value: Any) -> str:
    """As JSONPath templates print it."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | dict | list):
        return msgspec.json.encode(value, order="sorted").decode()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else str(value)


def _age(text: str, now: datetime) -> str:
    if not text:
        return UNKNOWN
    try:
        when = datetime.fromisoformat(text)
        return human_duration((now - when).total_seconds())
    except (ValueError, TypeError):
        return "<invalid>"
