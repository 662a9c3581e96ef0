"""A table: what its columns are and how an object becomes a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from control_plane.apiserver.tables.text import name_of
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import Schema, schemas
from kube.apimachinery.scheme import GroupVersionKind

Cells = Callable[[JsonObject, datetime], list[Any]]
Conditions = Callable[[JsonObject], list[JsonObject]]


@dataclass(frozen=True, slots=True)
class Column:
    """`doc` describes the column, or names the field whose description does ("@status.podIP"). Priority 1: shown with -o wide only."""

    name: str
    doc: str = ""
    type: str = "string"
    format: str = ""
    priority: int = 0


NAME: Final = Column("Name", "@metadata.name", format="name")
AGE: Final = Column("Age", "@metadata.creationTimestamp")
CREATED_AT: Final = Column("Created At", "@metadata.creationTimestamp", type="date")


def wide(name: str, doc: str = "") -> Column:
    """A column that is shown with -o wide only."""
    return Column(name, doc, priority=1)


def number(name: str, doc: str = "") -> Column:
    return Column(name, doc, "integer")


@dataclass(frozen=True)
class Table:
    """One kind's columns and cells. `conditions` marks rows of objects that are finished."""

    columns: Sequence[Column]
    cells: Cells
    conditions: Conditions | None = None


class TablePrinter:
    """The table of one resource, as the API serves it."""

    def __init__(self, gvk: GroupVersionKind, table: Table) -> None:
        self._gvk = gvk
        self._table = table

    def columns(self) -> list[dict[str, Any]]:
        """columnDefinitions; do not change them."""
        return self._definitions

    def row(self, obj: JsonObject, now: datetime) -> list[Any]:
        """The cells of one object, in the order of the columns."""
        return self._table.cells(obj, now)

    def conditions(self, obj: JsonObject) -> list[JsonObject]:
        """The row's conditions: kubectl leaves completed rows out where it is asked to."""
        return self._table.conditions(obj) if self._table.conditions else []

    @cached_property
    def _definitions(self) -> list[dict[str, Any]]:
        return [
            {"name": column.name, "type": column.type, "format": column.format, "priority": column.priority,
             "description": description(column.doc, self._gvk)}
            for column in self._table.columns
        ]


def description(doc: str, gvk: GroupVersionKind) -> str:
    if not doc.startswith("@"):
        return doc
    node: Schema | None = schemas().for_kind(gvk)
    for key in doc[1:].split("."):
        while node is not None and node.items is not None:
            node = node.items
        node = node.properties.get(key) if node is not None else None
    return node.description if node is not None else ""


def default_cells(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), (obj.get("metadata") or {}).get("creationTimestamp") or ""]


DEFAULT: Final = Table((NAME, CREATED_AT), default_cells)
