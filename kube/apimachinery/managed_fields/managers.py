"""The entries of metadata.managedFields: who owns which fields, by which operation, in which version, through which subresource.

In memory an entry's `fieldsV1` is JSON that nobody has parsed (msgspec.Raw), or plain when a client just sent it. A hundred fields in a
hundred dicts would double what an object weighs in the watch cache, and most reads want none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from kube.apimachinery.managed_fields.field_set import EMPTY, Node, decode, encode, normalised
from kube.apimachinery.meta import JsonObject

APPLY: Final = "Apply"
UPDATE: Final = "Update"
FIELDS_TYPE: Final = "FieldsV1"


class ManagerId(NamedTuple):
    """What makes two writes the same manager's. Who applies is the same in every version: its `api_version` is ""."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    @classmethod
    def of(cls, manager: str, operation: str, api_version: str, subresource: str) -> ManagerId:
        return cls(manager, operation, "" if operation == APPLY else api_version, subresource)

    @property
    def sort_text(self) -> str:
        """Upstream sorts managers in messages by their identifier as JSON."""
        names = ("manager", "operation", "apiVersion", "subresource")
        return msgspec.json.encode({name: text for name, text in zip(names, self, strict=True) if text}).decode()

    def __str__(self) -> str:
        """As conflicts name a manager."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


class Entry:
    """What one manager owns, in one version. Never changed; `stored` is the entry as the object has it, while it says the same."""

    __slots__ = ("_fields", "api_version", "stored", "time")

    def __init__(self, api_version: str, time: str | None, fields: Node | None = None, stored: JsonObject | None = None) -> None:
        self.api_version = api_version
        self.time = time
        self.stored = stored
        self._fields = fields

    @property
    def fields(self) -> Node:
        if self._fields is None:
            assert self.stored is not None
            raw = self.stored.get("fieldsV1")
            self._fields = EMPTY if raw is None else decode(raw)
        return self._fields

    def owning(self, fields: Node) -> Entry:
        """The same manager with other fields."""
        return self if fields is self.fields else Entry(self.api_version, self.time, fields)

    def at(self, time: str | None) -> Entry:
        """The same with another time."""
        if time == self.time:
            return self
        stored = None if self.stored is None else {**self.stored, "time": time}
        return Entry(self.api_version, time, self._fields, stored)

    def to_dict(self, manager: ManagerId) -> JsonObject:
        if self.stored is not None:
            return self.stored
        entry: JsonObject = {"manager": manager.manager} if manager.manager else {}
        entry |= {"operation": manager.operation, "apiVersion": self.api_version}
        if self.time:
            entry["time"] = self.time
        entry |= {"fieldsType": FIELDS_TYPE, "fieldsV1": msgspec.Raw(encode(self.fields))}
        if manager.subresource:
            entry["subresource"] = manager.subresource
        return entry


Managers = dict[ManagerId, Entry]


def decode_managers(entries: Iterable[Mapping[str, Any]], known: Managers | None = None) -> Managers:
    """Entries of an object. Those that say what one of `known` says become that one. Raises ValueError in upstream's words."""
    managers: Managers = {}
    for index, entry in enumerate(entries):
        operation, api_version = entry.get("operation") or "", entry.get("apiVersion") or ""
        if operation not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not api_version:
            raise ValueError("apiVersion must not be empty")
        fields_type = entry.get("fieldsType") or ""
        if not fields_type:
            raise ValueError(f"missing fieldsType in managed fields entry {index}")
        if fields_type != FIELDS_TYPE:
            raise ValueError(f'invalid fieldsType "{fields_type}" in managed fields entry {index}')
        manager = ManagerId.of(entry.get("manager") or "", operation, api_version, entry.get("subresource") or "")
        managers[manager] = _decoded(entry, api_version, (known or {}).get(manager))
    return managers


def _decoded(entry: Mapping[str, Any], api_version: str, known: Entry | None) -> Entry:
    raw, time = entry.get("fieldsV1"), entry.get("time")
    if isinstance(raw, msgspec.Raw):
        return Entry(api_version, time, stored=dict(entry))
    try:
        fields = normalised(raw)
    except ValueError as error:
        raise ValueError(f"error decoding set: {error}") from error
    if known is not None and known.api_version == api_version and known.fields == fields:
        return known.at(time)
    return Entry(api_version, time, fields)


def encode_managers(managers: Managers) -> list[JsonObject]:
    """In upstream's order: those that apply first, then by time."""

    def rank(item: tuple[ManagerId, Entry]) -> tuple[str, ...]:
        manager, entry = item
        return manager.operation, entry.time or "", manager.manager, entry.api_version, manager.subresource

    return [entry.to_dict(manager) for manager, entry in sorted(managers.items(), key=rank)]


def is_reset(entries: Any) -> bool:
    """Whether a client asks to forget all managers: an empty list, or one empty entry."""
    return isinstance(entries, list) and (not entries or (len(entries) == 1 and not any((entries[0] or {}).values())))


def same_but_times(one: list[JsonObject], other: list[JsonObject]) -> bool:
    """Whether two lists of entries (as encoded here) say the same, time aside."""
    return len(one) == len(other) and all(
        left is right or {**left, "time": None} == {**right, "time": None} for left, right in zip(one, other, strict=True)
    )


def packed(obj: JsonObject) -> JsonObject:
    """Turns the fieldsV1 of an object that was just decoded from the store into JSON that nobody has parsed. In place."""
    for entry in obj.get("metadata", {}).get("managedFields") or ():
        if isinstance(fields := entry.get("fieldsV1"), dict):
            entry["fieldsV1"] = msgspec.Raw(msgspec.json.encode(fields))
    return obj
