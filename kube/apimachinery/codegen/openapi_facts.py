"""Writes openapi_facts.json from upstream's own documents: `python -m kube.apimachinery.codegen.openapi_facts DIRECTORY`.

The directory holds what a kube-apiserver answers to GET /openapi/v3/api/v1 and /openapi/v3/apis/GROUP/VERSION, a file each. The package
that our schemas come from has neither enumerations nor default values.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

TARGET = Path(__file__).parents[1] / "openapi_facts.json"
ZERO = {"string": "", "integer": 0, "boolean": False}       # of a required field: openapi_facts.py knows that by itself
Facts = dict[str, dict[str, dict[str, Any]]]


def facts_of(documents: Iterable[dict[str, Any]]) -> Facts:
    """{"enums" or "defaults": {definition: {field, "[]" behind it for the items of a list: values or value}}}"""
    facts: Facts = {"enums": {}, "defaults": {}}
    for document in documents:
        for name, definition in document["components"]["schemas"].items():
            for field, schema in definition.get("properties", {}).items():
                required = field in definition.get("required", ())
                for where, held in ((field, schema), (f"{field}[]", schema.get("items") or {})):
                    if "enum" in held:
                        facts["enums"].setdefault(name, {})[where] = held["enum"]
                if schema.get("default", {}) != {} and not (required and schema["default"] == ZERO.get(schema.get("type", ""))):
                    facts["defaults"].setdefault(name, {})[field] = schema["default"]
    return facts


def main() -> None:
    documents = [msgspec.json.decode(path.read_bytes()) for path in sorted(Path(sys.argv[1]).glob("*.json"))]
    text = msgspec.json.format(msgspec.json.encode(facts_of(documents), order="deterministic"), indent=1)
    TARGET.write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
