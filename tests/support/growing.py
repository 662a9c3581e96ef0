"""Random objects, grown from the schemas: what passes the decoder, and little more."""

from __future__ import annotations

import random
from typing import Any, Final

from kube.apimachinery.schema import Schema, schemas
from kube.apimachinery.scheme import ResourceType

WORDS: Final = ("", "a", "A_b", "1", "x.y/z", "50%", "Always", "None", "RollingUpdate", "10.0.0.1", "10.0.0.0/8", "..", "/", "-", "é")
NUMBERS: Final = (-1, 0, 1, 2, 443, 70000, 1 << 40)
INSTANT: Final = "2026-01-01T00:00:00Z"
_DEEP: Final = 9


def grow(schema: Schema, dice: random.Random, depth: int = 0) -> Any:
    match schema.type:
        case "object":
            chance = 0.5 if depth < _DEEP else 0.0
            return {key: grow(field, dice, depth + 1) for key, field in schema.properties.items() if dice.random() < chance}
        case "map":
            assert schema.values is not None
            return {dice.choice(WORDS): grow(schema.values, dice, depth + 1) for _ in range(dice.randrange(3))}
        case "array":
            assert schema.items is not None
            return [grow(schema.items, dice, depth + 1) for _ in range(dice.randrange(3) if depth < _DEEP else 0)]
        case "integer" | "number":
            return dice.choice(NUMBERS[:-1] if schema.format == "int32" else NUMBERS)
        case "boolean":
            return dice.random() < 0.5
        case "int-or-string":
            return dice.choice((*NUMBERS[:-1], *WORDS))
        case "quantity":
            return dice.choice(("0", "1", "500m", "1Gi", "-1"))
        case "string":
            if schema.format == "byte":
                return "AAE="
            return INSTANT if schema.format in {"date-time", "micro-time"} else dice.choice(WORDS)
    return {}


def grown(resource: ResourceType, dice: random.Random) -> dict[str, Any]:
    schema = schemas().for_kind(resource.gvk)
    assert schema is not None
    obj = grow(schema, dice)
    obj["metadata"] = {**obj.get("metadata", {}), "name": "x", "uid": "u"}
    return {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
