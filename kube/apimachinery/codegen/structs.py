"""Writes kube/api: a frozen msgspec Struct per definition of the GA groups, one module per group and version, without prose.

    python -m kube.apimachinery.codegen.structs            writes the modules
    python -m kube.apimachinery.codegen.structs --check    fails, naming them, if the committed ones differ

Defaults make every field optional, so that decoding never fails on an absent one: "" and () and {} for strings, lists and maps, an empty
Struct for metadata, spec, status and template, None for everything else. Lists (PodList) and managedFields are left out: components
have no use for them, and managedFields would be the larger half of a cache's memory.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kube.apimachinery.codegen.names import camel_case, field_name
from kube.apimachinery.upstream import KUBERNETES_VERSION, load_definitions

API_DIRECTORY = Path(__file__).resolve().parents[2] / "api"
REF_PREFIX = "#/$defs/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
# Definitions that are no Struct but one JSON value.
VALUES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "str",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int | str",
    META + "Time": "str",
    META + "MicroTime": "str",
}
EMPTY_STRUCT_FIELDS = frozenset({"metadata", "spec", "status", "template"})
LEFT_OUT = frozenset({(META + "ObjectMeta", "managedFields"), (META + "ListMeta", "managedFields")})
# Strings whose absence means something else than "".
NULLABLE_STRINGS = frozenset({
    ("LeaseSpec", "holderIdentity"), ("LeaseSpec", "acquireTime"), ("LeaseSpec", "renewTime"),
    ("LeaseSpec", "strategy"), ("LeaseSpec", "preferredHolder"),
    ("PersistentVolumeClaimSpec", "storageClassName"), ("PersistentVolumeClaimSpec", "volumeAttributesClassName"),
    ("PersistentVolumeClaimStatus", "currentVolumeAttributesClassName"), ("PersistentVolumeSpec", "volumeAttributesClassName"),
    ("CSIStorageCapacity", "storageClassName"), ("IngressSpec", "ingressClassName"),
    ("TypedLocalObjectReference", "apiGroup"), ("TypedObjectReference", "apiGroup"),
})


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    json_name: str
    type: str
    default: str
    needs: frozenset[str]           # definitions whose Struct the annotation or the default names
    needs_first: frozenset[str]     # those that must stand above, because the default is an instance

    def render(self) -> str:
        if self.name in ("api_version", "kind") and self.default.startswith("lambda"):
            return f"    {self.name}: {self.type} = msgspec.field(default_factory={self.default})"
        if camel_case(self.name) == self.json_name:
            return f"    {self.name}: {self.type} = {self.default}"
        return f'    {self.name}: {self.type} = msgspec.field(default={self.default}, name="{self.json_name}")'


@dataclass(slots=True)
class Module:
    name: str
    structs: dict[str, list[Field]] = field(default_factory=dict)          # by definition name
    kinds: dict[str, tuple[str, str, str]] = field(default_factory=dict)


def module_of(definition: str) -> str:
    """io.k8s.api.rbac.v1.Role -> rbac_v1"""
    *_, group, version, _ = definition.split(".")
    return f"{group}_{version}"


def short(definition: str) -> str:
    return definition.rpartition(".")[2]


class Generator:
    def __init__(self, definitions: dict[str, dict[str, Any]]) -> None:
        self.definitions = definitions
        self.modules: dict[str, Module] = {}
        for name, definition in sorted(definitions.items()):
            if is_generated(name, definition):
                module = self.modules.setdefault(module_of(name), Module(module_of(name)))
                module.structs[name] = list(self.fields(name, definition))
                if kind := top_level_kind(definition):
                    module.kinds[name] = kind

    def fields(self, name: str, definition: dict[str, Any]) -> Iterator[Field]:
        kind = top_level_kind(definition)
        for json_name, schema in definition["properties"].items():
            if (name, json_name) in LEFT_OUT:
                continue
            if kind and json_name in ("apiVersion", "kind"):
                group, version, kind_name = kind
                value = kind_name if json_name == "kind" else f"{group}/{version}".lstrip("/")
                yield Field(field_name(json_name), json_name, "str", f'lambda: "{value}"', frozenset(), frozenset())
                continue
            yield self.field(name, json_name, schema)

    def field(self, owner: str, json_name: str, schema: dict[str, Any]) -> Field:
        type_, needs = self.type_of(schema)
        default = "None"
        first: frozenset[str] = frozenset()
        if type_ == "str":
            default = "None" if (short(owner), json_name) in NULLABLE_STRINGS else '""'
        elif type_.startswith("tuple["):
            default = "()"
        elif type_.startswith("dict["):
            default = "{}"
        elif needs and json_name in EMPTY_STRUCT_FIELDS:
            default, first = f"{short(next(iter(needs)))}()", needs
        if default == "None" and type_ != "Any":
            type_ += " | None"
        return Field(field_name(json_name), json_name, type_, default, needs, first)

    def type_of(self, schema: dict[str, Any]) -> tuple[str, frozenset[str]]:
        if "$ref" in schema:
            target = schema["$ref"].removeprefix(REF_PREFIX)
            if target in VALUES:
                return VALUES[target], frozenset()
            if not is_generated(target, self.definitions[target]):
                return "Any", frozenset()      # free-form JSON, or a field that stands behind an alpha group
            return short(target), frozenset({target})
        kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
        if kind == "array":
            item, needs = self.type_of(schema["items"])
            return f"tuple[{item}, ...]", needs
        if kind == "object":
            value, needs = self.type_of(schema["additionalProperties"])
            return f"dict[str, {value}]", needs
        return SCALARS[kind], frozenset()

    def render(self, module: Module) -> str:
        order = self.ordered(module)
        imports: dict[str, set[str]] = defaultdict(set)
        for fields in module.structs.values():
            for needed in frozenset().union(*(f.needs for f in fields)):
                if module_of(needed) != module.name:
                    imports[module_of(needed)].add(short(needed))
        lines = [f"# Generated for Kubernetes {KUBERNETES_VERSION} by kube.apimachinery.codegen.structs; do not edit.", "",
                 "from __future__ import annotations", ""]
        uses_any = any("Any" in f.type.split("[")[-1] for fields in module.structs.values() for f in fields)
        typing_names = [name for name, used in (("Any", uses_any), ("ClassVar", bool(module.kinds))) if used]
        if typing_names:
            lines += [f"from typing import {', '.join(typing_names)}", ""]
        lines += ["import msgspec", ""]
        if module.kinds:
            lines.append("from kube.apimachinery.scheme import GroupVersionKind")
        lines += [f"from kube.api.{name} import {', '.join(sorted(names))}" for name, names in sorted(imports.items())]
        for name in order:
            lines += ["", "", f'class {short(name)}(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):']
            if name in module.kinds:
                lines += [f"    GVK: ClassVar[GroupVersionKind] = GroupVersionKind{quoted(module.kinds[name])}", ""]
            lines += [f.render() for f in module.structs[name]]
        return "\n".join(lines) + "\n"

    def ordered(self, module: Module) -> list[str]:
        """Alphabetical, but a Struct that is another's default stands above it."""
        done: list[str] = []

        def place(name: str) -> None:
            if name in done:
                return
            for needed in sorted(frozenset().union(*(f.needs_first for f in module.structs[name]))):
                if needed in module.structs:
                    place(needed)
            done.append(name)

        for name in module.structs:
            place(name)
        return done


def is_generated(name: str, definition: dict[str, Any]) -> bool:
    version = name.split(".")[-2]
    if not (version.startswith("v") and version[1:].isdigit()) or not definition.get("properties"):
        return False
    metadata = definition["properties"].get("metadata", {})
    return not str(metadata.get("$ref", "")).endswith(".ListMeta") or short(name) == "Status"


def top_level_kind(definition: dict[str, Any]) -> tuple[str, str, str] | None:
    kinds = definition.get("x-kubernetes-group-version-kind", [])
    if not kinds:
        return None
    first = next((kind for kind in kinds if not kind["group"]), kinds[0])
    return first["group"], first["version"], first["kind"]


def quoted(kind: tuple[str, str, str]) -> str:
    return "(" + ", ".join(f'"{part}"' for part in kind) + ")"


def package_map(modules: dict[str, Module]) -> str:
    names = sorted(modules)
    rows = [names[i:i + 6] for i in range(0, len(names), 6)]
    table = "\n".join("  ".join(row) for row in rows)
    return ('"""Typed views of the API: frozen Structs of every GA kind, a module per group and version.\n\n'
            "Generated by `python -m kube.apimachinery.codegen.structs`; nothing here is edited by hand.\n"
            'Times, quantities and base64 bytes are str; `msgspec.structs.replace` makes a changed copy.\n\n'
            f'{table}\n"""\n')


def generated_files() -> dict[str, str]:
    generator = Generator(load_definitions())
    files = {f"{name}.py": generator.render(module) for name, module in generator.modules.items()}
    files["__init__.py"] = package_map(generator.modules)
    return files


def main(argv: list[str]) -> int:
    files = generated_files()
    if "--check" in argv:
        committed = {path.name: path.read_text() for path in API_DIRECTORY.glob("*.py")}
        stale = sorted(name for name in files.keys() | committed.keys() if files.get(name) != committed.get(name))
        if stale:
            print("stale, run `python -m kube.apimachinery.codegen.structs`:", ", ".join(stale), file=sys.stderr)  # noqa: T201
        return 1 if stale else 0
    API_DIRECTORY.mkdir(exist_ok=True)
    for name, text in files.items():
        (API_DIRECTORY / name).write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
