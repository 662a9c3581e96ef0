"""The wire facts in protobuf_table.json, parsed message by message as they are first needed.

A line reads `name:1s replicas:2i* <:3PodSpec labels:4{s items:5[Pod`: JSON name ("<" if the message's fields stand in its owner), field
number, "[" for repeated or "{" for map<string, ...>, and the type: s(tring) y(bytes) i(nt32) l(int64) b(ool) d(ouble) or a message.
"*" marks a pointer, whose zero differs from its absence, "*!" one that JSON shows as null; "?" a field that is left out of JSON when empty.
"~" precedes the name of a string type, as Go prints it.
Written by kube.apimachinery.codegen.protobuf_table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

FIELD = re.compile(r"([^:]+):(\d+)([\[{]?)([\w.\-]+)([*?!]*)(?:~([\w.]+))?")
SCALARS = frozenset("syilbd")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    number: int
    repeated: bool
    mapped: bool
    type: str
    pointer: bool
    omitted_when_empty: bool
    inline: bool
    scalar: bool
    shown: bool             # by JSON, even when it is empty
    string_type: str


class Table:
    def __init__(self, packages: dict[str, dict[str, str]]) -> None:
        self._packages = packages
        self._messages: dict[str, tuple[Field, ...]] = {}
        self._by_number: dict[str, dict[int, Field]] = {}

    def __contains__(self, message: str) -> bool:
        package, _, name = message.rpartition(".")
        return name in self._packages.get(package, {})

    def fields(self, message: str) -> tuple[Field, ...]:
        """In the order of their numbers."""
        if (fields := self._messages.get(message)) is None:
            package, _, name = message.rpartition(".")
            fields = tuple(_parse(text, package) for text in self._packages[package][name].split())
            self._messages[message] = fields
        return fields

    def by_number(self, message: str) -> dict[int, Field]:
        if (fields := self._by_number.get(message)) is None:
            fields = self._by_number[message] = {field.number: field for field in self.fields(message)}
        return fields

    def is_list_of_names(self, message: str) -> bool:
        """A Go `type ExtraValue []string`: a message on the wire, a plain list in JSON."""
        fields = self.fields(message)
        return len(fields) == 1 and fields[0].name == "items" and fields[0].type == "s"

    def messages(self) -> list[str]:
        return [f"{package}.{name}" for package, messages in self._packages.items() for name in messages]


def _parse(text: str, package: str) -> Field:
    match = FIELD.fullmatch(text)
    if match is None:
        raise ValueError(f"protobuf_table.json: {text}")
    name, number, label, type_, flag, string_type = match.groups()
    if type_ not in SCALARS and "." not in type_:
        type_ = f"{package}.{type_}"
    return Field(
        name, int(number), label == "[", label == "{", type_, flag.startswith("*"), flag == "?", name == "<", type_ in SCALARS,
        flag in ("", "*!"), string_type or "",
    )


_META = "io.k8s.apimachinery.pkg.apis.meta."
# The one message of meta/v1beta1 that is not as in v1: its two fields have each other's numbers.
_BETA = {"PartialObjectMetadataList": f"items:1[{_META}v1.PartialObjectMetadata metadata:2{_META}v1.ListMeta"}


@cache
def table() -> Table:
    path = Path(__file__).with_name("protobuf_table.json")
    packages = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, str]])
    return Table({**packages, f"{_META}v1beta1": _BETA})
