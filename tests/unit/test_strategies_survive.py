"""No object that passes the decoder may break a rule or a table: random ones, grown from the schemas, for every kind."""

from __future__ import annotations

import copy
import random
from datetime import UTC, datetime

import pytest

from control_plane.apiserver.strategies.deletion import plan_deletion, removed_by_update
from control_plane.apiserver.strategies.registry import strategy_for
from control_plane.apiserver.tables.registry import table_for
from kube.apimachinery.errors import invalid
from kube.apimachinery.resources import RESOURCES
from kube.apimachinery.scheme import ResourceType
from tests.support.growing import grown

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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
