"""What upstream's OpenAPI documents say of fields and our schemas do not: enumerations and default values, for readers of the documents.

Nothing here validates or fills in: that is done by the apiserver's strategies. The file is written by codegen/openapi_facts.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

_ZERO = {"string": "", "integer": 0, "boolean": False}


@cache
def _facts() -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = msgspec.json.decode(Path(__file__).with_name("openapi_facts.json").read_bytes())
    return found


def add_facts(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """The same definition, which is changed."""
    properties = definition.get("properties", {})
    for field in definition.get("required", ()):
        schema = properties.get(field, {})
        if schema.get("type") in _ZERO:
            schema.setdefault("default", _ZERO[schema["type"]])
    for field, value in _facts()["defaults"].get(name, {}).items():
        properties.get(field, {})["default"] = value
    for where, values in _facts()["enums"].get(name, {}).items():
        schema = properties.get(where.removesuffix("[]"), {})
        (schema.get("items", {}) if where.endswith("[]") else schema)["enum"] = values
    return definition
