"""What both OpenAPI versions share: definitions as upstream publishes them, and which of them a set of paths needs.

openapi_paths.py  the paths    openapi_v2.py  one document, JSON or gnostic's protobuf    openapi_v3.py  a document per group and version

openapi_custom.py  the schemas of custom kinds

Documents are built on request and given out as bytes; nothing of them is kept but what the caller keeps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kube.apimachinery.openapi_custom import published, published_list, references
from kube.apimachinery.openapi_facts import add_facts
from kube.apimachinery.openapi_paths import Path as ApiPath
from kube.apimachinery.schema import REF_PREFIX, RawSchema, schemas
from kube.apimachinery.scheme import ResourceType
from kube.apimachinery.upstream import KUBERNETES_VERSION, definitions_path

Custom = Mapping[str, tuple[ResourceType, bool]]      # by definition: its row, and whether the list is meant

TITLE = "Kubernetes"
EXTENSION_PREFIX = "x-kubernetes-"
# An answer's kind is written into apiVersion and kind as an enum by the package; upstream's documents have none.
TYPE_META = ("apiVersion", "kind")


def normalised(raw: RawSchema, reference: str, *, version: int) -> RawSchema:
    """The package's JSON Schema in OpenAPI's dialect: one type, references under `reference`; v3 puts those into allOf."""
    result: RawSchema = {}
    for key, value in raw.items():
        if key == "type":
            result["type"] = value if isinstance(value, str) else value[0]
        elif key == "$ref":
            target = reference + value.removeprefix(REF_PREFIX)
            if version == 3 and len(raw) > 1:
                result["allOf"] = [{"$ref": target}]
            else:
                result["$ref"] = target
        elif key in ("items", "additionalProperties"):
            result[key] = normalised(value, reference, version=version)
        elif key == "properties":
            result[key] = {name: field(name, child, reference, version) for name, child in value.items()}
        else:
            result[key] = value
    return result


def field(name: str, raw: RawSchema, reference: str, version: int) -> RawSchema:
    found = normalised(raw, reference, version=version)
    if name in TYPE_META:
        found.pop("enum", None)
    return found


def definition(name: str, reference: str, *, version: int, custom: Custom | None = None) -> RawSchema:
    """`custom`: the definitions of custom kinds."""
    if custom and (found := custom.get(name)):
        row, is_list = found
        return (published_list if is_list else published)(row, reference, version=version)
    raw = schemas().raw(name)
    if "oneOf" in raw:                                      # Quantity and IntOrString
        return {"description": raw.get("description", "")} | values_of_two_types(name, version)
    return add_facts(name, normalised(raw, reference, version=version))


def values_of_two_types(name: str, version: int) -> RawSchema:
    quantity = name.endswith(".Quantity")
    if version == 2:
        return {"type": "string"} if quantity else {"type": "string", "format": "int-or-string"}
    if quantity:
        return {"oneOf": [{"type": "string"}, {"type": "number"}]}
    return {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}


def needed_definitions(paths: Iterable[ApiPath], custom: Custom | None = None) -> list[str]:
    """Names of everything that bodies and answers refer to, directly or not, sorted."""
    waiting = {name for path in paths for operation in path.operations for _, name in operation.responses}
    waiting |= {operation.body for path in paths for operation in path.operations if operation.body}
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        needs = references(name) if custom and name in custom else _references(schemas().raw(name))
        waiting |= set(needs) - found
    return sorted(found)


def _references(raw: Any) -> Iterator[str]:
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(REF_PREFIX)
            else:
                yield from _references(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from _references(value)


@cache
def source_digest() -> bytes:
    """Changes whenever the documents may: hashed from the schemas and from the modules that write them."""
    digest = hashlib.sha256(KUBERNETES_VERSION.encode())
    digest.update(definitions_path().read_bytes())
    here = Path(__file__).parent
    for module in (*sorted(here.glob("openapi*.py")), here / "openapi_facts.json", here / "resources.py"):
        digest.update(module.read_bytes())
    return digest.digest()


def info() -> dict[str, str]:
    return {"title": TITLE, "version": KUBERNETES_VERSION}
