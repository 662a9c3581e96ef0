"""How a write moves fields between managers. Follows structured-merge-diff's Updater.

    update   whoever changes a field owns it from then on; everybody else loses what was changed or removed
    apply    the configuration is merged into the live object; what its manager applied before and does not any more is removed, unless
             somebody else owns it; a change of what somebody else owns is a conflict, or with `force` takes it over

Managers may have written in other versions: for each of those the objects are compared as they look there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kube.apimachinery.managed_fields.comparison import Comparison, Reset, compare, identical
from kube.apimachinery.managed_fields.conflicts import ApplyConflict
from kube.apimachinery.managed_fields.field_set import EMPTY, LEAF, Node, difference, intersection, union
from kube.apimachinery.managed_fields.managers import Entry, ManagerId, Managers
from kube.apimachinery.managed_fields.merging import merge, remove, with_named_fields
from kube.apimachinery.managed_fields.path_element import SELF
from kube.apimachinery.managed_fields.typed import fields_of
from kube.apimachinery.managed_fields.types import DEDUCED, FieldType
from kube.apimachinery.meta import JsonObject


@dataclass(frozen=True, slots=True)
class Versions:
    """One kind in all its versions. `convert` gives an object in a version, None where that version is not served any more."""

    convert: Callable[[JsonObject, str], JsonObject | None]
    kind_of: Callable[[str], FieldType]


def update(
    old: JsonObject, new: JsonObject, version: str, managers: Managers, me: ManagerId, now: str, versions: Versions, *,
    reset: Reset | None = None, never_owned: Node = EMPTY,
) -> Managers:
    """Managers after a write that made `new` out of `old` (for a new object that is an empty one), both in `version`."""
    if not versions.kind_of(version).built_in:
        managers = _reconciled(managers, versions)
    managers, comparison = _moved(old, new, version, managers, me, versions, reset, force=True)
    mine = managers.get(me)
    changed = difference(comparison.set, never_owned)
    held = difference(mine.fields, comparison.removed) if mine is not None else EMPTY
    if changed:
        after = union(held, changed)
        managers[me] = mine.at(now) if mine is not None and after is mine.fields else Entry(version, now, after)
    elif mine is not None:
        managers[me] = mine.owning(held)
    return _without_empty(managers)


def apply(
    live: JsonObject, config: JsonObject, version: str, managers: Managers, me: ManagerId, versions: Versions, *,
    force: bool, reset: Reset | None = None, never_owned: Node = EMPTY,
) -> tuple[JsonObject | None, Managers]:
    """The new object (None when it is the live one) and the managers. Raises ApplyConflict and TypedError."""
    managers = _reconciled(managers, versions)
    kind = versions.kind_of(version)
    merged = merge(live, config, kind)
    claimed = fields_of(config, kind)
    if reset is not None:
        claimed = reset(claimed)
    last = managers.get(me)
    managers = {**managers, me: Entry(version, last.time if last is not None else None, claimed)}
    new = _pruned(merged, managers, me, last, versions)
    managers, _ = _moved(live, new, version, managers, me, versions, reset, force=force)
    if me in managers:
        managers[me] = managers[me].owning(difference(managers[me].fields, never_owned))
    return (None if identical(new, live) else new), _without_empty(managers)


def _moved(
    old: JsonObject, new: JsonObject, version: str, managers: Managers, me: ManagerId, versions: Versions, reset: Reset | None, *,
    force: bool,
) -> tuple[Managers, Comparison]:
    """Everybody but `me` loses what changed; without `force` that is a conflict."""
    comparison = compare(old, new, versions.kind_of(version)).filtered(reset)
    compared: dict[str, Comparison | None] = {version: comparison}
    conflicts: dict[ManagerId, Node] = {}
    moved: Managers = {}
    for manager, entry in managers.items():
        if manager == me:
            moved[manager] = entry
            continue
        if entry.api_version not in compared:
            compared[entry.api_version] = _compared_in(entry.api_version, old, new, versions, reset)
        seen = compared[entry.api_version]
        if seen is None:
            continue                    # nobody can read its fields any more
        if not seen.same:
            if wanted := intersection(entry.fields, seen.set):
                conflicts[manager] = wanted
            entry = entry.owning(difference(difference(entry.fields, wanted), seen.removed))
        moved[manager] = entry
    if conflicts and not force:
        raise ApplyConflict.of(conflicts)
    return _without_empty(moved), comparison


def _compared_in(version: str, old: JsonObject, new: JsonObject, versions: Versions, reset: Reset | None) -> Comparison | None:
    before, after = versions.convert(old, version), versions.convert(new, version)
    if before is None or after is None:
        return None
    return compare(before, after, versions.kind_of(version)).filtered(reset)


def _without_empty(managers: Managers) -> Managers:
    return {manager: entry for manager, entry in managers.items() if entry.fields}


# What an applier leaves out now

def _pruned(merged: JsonObject, managers: Managers, me: ManagerId, last: Entry | None, versions: Versions) -> JsonObject:
    """Without the fields that its applier gave before and does not now, as far as they are nobody else's."""
    if last is None or not last.fields:
        return merged
    version = last.api_version
    before = versions.convert(merged, version)
    if before is None:
        return merged
    kind = versions.kind_of(version)
    pruned = _object(remove(before, with_named_fields(last.fields, kind), kind))
    pruned = _owned_again(before, pruned, version, managers, versions)
    pruned = _never_given(before, pruned, last, version, versions)
    back = versions.convert(pruned, managers[me].api_version)
    return merged if back is None else back


def _owned_again(merged: JsonObject, pruned: JsonObject, first: str, managers: Managers, versions: Versions) -> JsonObject:
    """Puts back what others own, or the new configuration."""
    owned: dict[str, Node] = {first: EMPTY}         # that version first: a conversion may need what was pruned
    for entry in managers.values():
        owned[entry.api_version] = union(owned.get(entry.api_version, EMPTY), entry.fields)
    for version, fields in owned.items():
        whole, left = versions.convert(merged, version), versions.convert(pruned, version)
        if whole is None or left is None:
            continue
        merged, kind = whole, versions.kind_of(version)
        every, kept = fields_of(merged, kind), fields_of(left, kind)
        wanted = union(with_named_fields(kept, kind), with_named_fields(fields, kind))
        pruned = _object(remove(merged, difference(with_named_fields(every, kind), wanted), kind))
    return pruned


def _never_given(merged: JsonObject, pruned: JsonObject, last: Entry, version: str, versions: Versions) -> JsonObject:
    """Puts back what the applier never gave: a list item that goes would take along what nobody owns in it."""
    left = versions.convert(pruned, version)
    if left is None:
        return merged
    kind = versions.kind_of(version)
    kept, every = with_named_fields(fields_of(left, kind), kind), with_named_fields(fields_of(merged, kind), kind)
    return _object(remove(merged, intersection(difference(every, kept), with_named_fields(last.fields, kind)), kind))


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


# Schemas change

def _reconciled(managers: Managers, versions: Versions) -> Managers:
    """Fields below what the schema now has owned as a whole become that whole. Built-in kinds change with the server only."""
    found: Managers = {}
    for manager, entry in managers.items():
        kind = versions.kind_of(entry.api_version)
        found[manager] = entry.owning(reconciled(entry.fields, kind))
    return found


def reconciled(fields: Node, kind: FieldType) -> Node:
    """The set as a schema that has become atomic somewhere makes it; itself where nothing has changed."""
    found: Node | None = None
    for element, node in fields.items():
        if not node or element == SELF:
            continue
        inner = _inner(kind, element)
        if inner is None or inner is DEDUCED or (inner.map is None and inner.scalar):
            continue
        whole = inner.map.atomic if inner.map is not None else inner.list is not None and inner.list.atomic
        kept = LEAF if whole else reconciled(node, inner)
        if kept is not node:
            found = dict(fields) if found is None else found
            found[element] = kept
    return fields if found is None else found


def _inner(kind: FieldType, element: str) -> FieldType | None:
    if element[0] == "f":
        return kind.map.of(element[2:]) if kind.map is not None else None
    return kind.list.items if kind.list is not None else None


def joined(one: Entry, other: Entry) -> Entry:
    """One entry that owns what two owned, as of the later one."""
    return Entry(one.api_version, other.time, union(one.fields, other.fields))
