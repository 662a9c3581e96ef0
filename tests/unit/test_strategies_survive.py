"""No object that passes the decoder may break a rule or a table: random ones, grown from the schemas, for every kind."""

from __future__ import annotations

import copy
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from control_plane.apiserver.strategies.deletion import plan_deletion, removed_by_update
from control_plane.apiserver.strategies.registry import strategy_for
from control_plane.apiserver.tables.registry import table_for
from kube.apimachinery.errors import invalid
from kube.apimachinery.resources import RESOURCES
from kube.apimachinery.schema import Schema, schemas
from kube.apimachinery.scheme import ResourceType

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("", "a", "A_b", "1", "x.y/z", "50%", "Always", "None", "RollingUpdate", "10.0.0.1", "10.0.0.0/8", "..", "/", "-", "é")
NUMBERS = (-1, 0, 1, 2, 443, 70000, 1 << 40)
INSTANT = "2026-01-01T00:00:00Z"
_DEEP = 9


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
            return dice.choice(NUMBERS)
        case "boolean":
            return dice.random() < 0.5
        case "int-or-string":
            return dice.choice((*NUMBERS, *WORDS))
        case "quantity":
            return dice.choice(("0", "1", "500m", "1Gi", "-1"))
        case "string":
            return INSTANT if schema.format in {"date-time", "micro-time"} else dice.choice(WORDS)
    return {}


def grown(resource: ResourceType, dice: random.Random) -> dict[str, Any]:
    schema = schemas().for_kind(resource.gvk)
    assert schema is not None
    obj = grow(schema, dice)
    obj["metadata"] = {**obj.get("metadata", {}), "name": "x", "uid": "u"}
    return {**obj, "apiVersion": resource.api_version, "kind": resource.kind}


@pytest.mark.parametrize("resource", [pytest.param(row, id=f"{row.plural}.{row.api_version}") for row in RESOURCES])
def test_rules_and_tables_survive_any_object(resource: ResourceType) -> None:
    rules, table, dice = strategy_for(resource), table_for(resource), random.Random(resource.plural)
    for _ in range(12):
        obj, old = grown(resource, dice), grown(resource, dice)
        for each in (obj, old):
            rules.default(each)
            rules.prepare_for_create(each)
            once = copy.deepcopy(each)
            rules.default(once)
            assert once == each, "defaulting twice must change nothing"
            invalid(resource.gvk, "x", rules.validate(each))
            assert all(isinstance(value, str) for value in rules.fields(each).values())
        written = copy.deepcopy(obj)
        rules.prepare_for_update(written, old)
        invalid(resource.gvk, "x", rules.validate_update(written, old))
        reported = grown(resource, dice)
        rules.default(reported)
        rules.prepare_for_status_update(reported, old)
        invalid(resource.gvk, "x", rules.validate_status_update(reported, old))
        assert len(table.row(grown(resource, dice), NOW)) == len(table.columns())
        table.conditions(obj)
        plan_deletion(rules, obj, {"propagationPolicy": dice.choice(("Foreground", "Orphan", "Background"))}, NOW)
        removed_by_update(rules, obj)
