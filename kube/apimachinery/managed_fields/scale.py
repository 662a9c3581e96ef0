"""Managed fields of a scale subresource: its one field is a field of its parent, where the entries are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from kube.apimachinery.managed_fields.field_set import Path, difference, has, of
from kube.apimachinery.managed_fields.managers import Entry, ManagerId, Managers, decode_managers, encode_managers
from kube.apimachinery.meta import JsonObject

SCALE_VERSION: Final = "autoscaling/v1"
REPLICAS: Final[Path] = ("f:spec", "f:replicas")

ReplicasPath = Callable[[str], Path | None]         # by the parent's version; None where it is not served or has no scale


def scale_entries(parent: Sequence[JsonObject], path_in: ReplicasPath) -> list[JsonObject]:
    """The entries of the scale: whoever owns the parent's replicas."""
    found: Managers = {}
    for manager, entry in decode_managers(parent).items():
        path = path_in(entry.api_version)
        if path is not None and has(entry.fields, path):
            found[manager] = Entry(SCALE_VERSION, entry.time, of([REPLICAS]))
    return encode_managers(found)


def parent_entries(parent: Sequence[JsonObject], scale: Sequence[dict[str, Any]], version: str, path_in: ReplicasPath) -> list[JsonObject]:
    """The entries of the parent after a write of its scale through `version`; new ones have no time, as upstream."""
    held, found = decode_managers(parent), dict[ManagerId, Entry]()
    named = {(manager.manager, manager.operation, manager.subresource): manager for manager in held}
    changed = {_as_parent(manager, version, named): entry for manager, entry in decode_managers(scale).items()}
    for manager, entry in held.items():
        path = path_in(entry.api_version)
        if path is None or not has(entry.fields, path):
            found[manager] = entry
        elif manager in changed:
            found[manager] = entry
            del changed[manager]
        elif rest := difference(entry.fields, of([path])):
            found[manager] = entry.owning(rest)
    path = path_in(version) or REPLICAS
    for manager, entry in changed.items():
        if has(entry.fields, REPLICAS):
            found[manager] = Entry(version, held[manager].time if manager in held else None, of([path]))
    return encode_managers(found)


def _as_parent(manager: ManagerId, version: str, named: dict[tuple[str, str, str], ManagerId]) -> ManagerId:
    """Whom an entry of the scale stands for: the parent's manager of that name, else a new one."""
    known = named.get((manager.manager, manager.operation, manager.subresource))
    return known or ManagerId.of(manager.manager, manager.operation, version, manager.subresource)
