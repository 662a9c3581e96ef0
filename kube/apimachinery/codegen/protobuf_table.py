"""Writes codec/protobuf_table.json: the wire facts of Kubernetes' protobuf, one line per message.

    python -m kube.apimachinery.codegen.protobuf_table CHECKOUT...

Each CHECKOUT is a directory with a copy of k8s.io/api, apimachinery, apiextensions-apiserver or kube-aggregator. The .proto files say field
numbers and types; the Go structs beside them say each field's JSON name, whether its zero value differs from its absence and whether JSON
shows it, and the name of a string type. Nothing else of them is kept. Needed again only when the Kubernetes version changes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "codec" / "protobuf_table.json"

SCALARS = {"string": "s", "bytes": "y", "int32": "i", "int64": "l", "bool": "b", "double": "d"}
PACKAGE = re.compile(r"^package ([\w.]+);", re.MULTILINE)
MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^\s*(optional|repeated|map<string, ([\w.]+)>)\s+(?:([\w.]+)\s+)?(\w+) = (\d+);", re.MULTILINE)
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
GO_FIELD = re.compile(r'^\t(?:\w+\s+)?(\*?)([^\s`]*)[^\n`]*`json:"([^"]*)"[^`\n]*protobuf:"\w+,(\d+),', re.MULTILINE)
GO_PLAIN = ("string", "[]string", "map[string]string", "[]byte", "map[string][]byte")
GA = re.compile(r".*\.v\d+$")
NOT_SERVED = ("io.k8s.api.apidiscovery.v2", "io.k8s.api.admission.v1", "io.k8s.apimachinery.pkg.apis.testapigroup.v1")
SHARED = ("io.k8s.apimachinery.pkg.api.resource", "io.k8s.apimachinery.pkg.runtime", "io.k8s.apimachinery.pkg.util.intstr")


@dataclass(frozen=True, slots=True)
class GoField:
    json_name: str
    pointer: bool
    omitted: frozenset[str]     # of omitempty, omitzero
    type: str = ""

    @property
    def inline(self) -> bool:
        return not self.json_name


@dataclass(frozen=True, slots=True)
class ProtoField:
    name: str
    number: int
    label: str          # "", "[" repeated, "{" map
    type: str           # a scalar's letter, or a message's full name


def definition_package(proto_package: str) -> str:
    """k8s.io.apiextensions_apiserver.pkg... -> io.k8s.apiextensions-apiserver.pkg..., as the schemas name it."""
    return "io.k8s." + proto_package.removeprefix("k8s.io.").replace("_", "-")


def proto_messages(text: str, package: str) -> Iterator[tuple[str, list[ProtoField]]]:
    for name, body in MESSAGE.findall(re.sub(r"//[^\n]*", "", text)):
        fields = []
        for label, value, type_, field_name, number in FIELD.findall(body):
            wire = value or type_
            kind = "{" if value else "[" if label == "repeated" else ""
            if wire not in SCALARS:
                wire = definition_package(wire.lstrip(".").rpartition(".")[0]) + "." + wire.rpartition(".")[2] if "." in wire \
                    else f"{package}.{wire}"
            fields.append(ProtoField(field_name, int(number), kind, SCALARS.get(wire, wire)))
        yield name, fields


def go_structs(directory: Path) -> dict[str, dict[int, GoField]]:
    structs: dict[str, dict[int, GoField]] = {}
    for path in directory.glob("*.go"):
        if path.name.endswith("_test.go") or path.name.startswith("generated"):
            continue
        for name, body in STRUCT.findall(path.read_text()):
            structs[name] = {
                int(number): GoField(tag.split(",")[0], bool(pointer), frozenset(tag.split(",")[1:]), type_)
                for pointer, type_, tag, number in GO_FIELD.findall(body)
            }
    return structs


def read(checkouts: list[Path]) -> dict[str, list[tuple[ProtoField, GoField]]]:
    messages = {}
    for proto in sorted(path for checkout in checkouts for path in checkout.rglob("generated.proto")):
        text = proto.read_text()
        found = PACKAGE.search(text)
        assert found, proto
        package = definition_package(found[1])
        structs = go_structs(proto.parent)
        for name, fields in proto_messages(text, package):
            go = structs.get(name, {})
            messages[f"{package}.{name}"] = [
                (field, go.get(field.number, GoField(field.name, False, frozenset(["omitempty"])))) for field in fields
            ]
    return messages


def kept(messages: dict[str, list[tuple[ProtoField, GoField]]]) -> list[str]:
    """Messages of GA packages and what they refer to."""
    packages = {name.rpartition(".")[0] for name in messages}
    packages = {package for package in packages if package in SHARED or (GA.match(package) and package not in NOT_SERVED)}
    waiting = {name for name in messages if name.rpartition(".")[0] in packages}
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= {field.type for field, _ in messages[name] if len(field.type) > 1} - found
    return sorted(found)


def line(package: str, fields: list[tuple[ProtoField, GoField]]) -> str:
    """`name:1s? phase:2s?~v1.Phase replicas:3i* ports:4[Port?`: JSON name, number, label, type, flags, name of a string type.

    Flags: * for a pointer, *! for one that JSON shows as null, ? if JSON leaves it out when empty.
    """
    parts = []
    for field, go in sorted(fields, key=lambda pair: pair[0].number):
        type_ = field.type.removeprefix(package + ".") if field.type.rpartition(".")[0] == package else field.type
        plain = field.label or len(field.type) == 1     # Go shows an empty struct unless it is told omitzero
        shown = not (go.omitted if plain else "omitzero" in go.omitted)
        flag = ("*" if "omitempty" in go.omitted else "*!") if go.pointer else "" if shown else "?"
        parts.append(f"{'<' if go.inline else go.json_name}:{field.number}{field.label}{type_}{flag}{_string_type(package, field, go)}")
    return " ".join(parts)


def _string_type(package: str, field: ProtoField, go: GoField) -> str:
    if field.type != "s" or go.type in ("", *GO_PLAIN):
        return ""
    owner, dot, name = go.type.rpartition("]")[2].rpartition(".")
    if not dot and name in GO_PLAIN:
        return ""
    return f"~{re.sub('^(meta|core)v1$', 'v1', owner) if dot else package.rpartition('.')[2]}.{name}"


def main(argv: list[str]) -> int:
    messages = read([Path(argument) for argument in argv])
    packages: dict[str, dict[str, str]] = {}
    for name in kept(messages):
        package, _, short = name.rpartition(".")
        packages.setdefault(package, {})[short] = line(package, messages[name])
    TABLE.write_text(json.dumps(packages, indent=0, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
