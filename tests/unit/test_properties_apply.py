"""Server-side apply: what holds of any sequence of writes by any managers."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kube.apimachinery.managed_fields.field_set import path_text, paths
from kube.apimachinery.managed_fields.managers import decode_managers
from kube.apimachinery.managed_fields.tracking import FieldTracker
from kube.apimachinery.scheme import GroupVersionKind
from tests.support.properties import Json, often, seldom

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
TRACKER = FieldTracker(GroupVersionKind("apps", "v1", "Deployment"))
MANAGERS = ("one", "two", "three")

ENV = st.lists(st.fixed_dictionaries({"name": st.sampled_from("AB"), "value": st.sampled_from("12")}), max_size=2,
               unique_by=lambda one: one["name"])
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={
        "image": st.sampled_from(("x:1", "x:2")), "env": ENV, "args": st.lists(st.sampled_from("pq"), max_size=2)}),
    max_size=3, unique_by=lambda one: one["name"])
LABELS = st.dictionaries(st.sampled_from(("l1", "l2", "l3")), st.sampled_from("12"), max_size=3)
CONTENTS = st.fixed_dictionaries({}, optional={
    "labels": LABELS, "finalizers": st.lists(st.sampled_from(("x/a", "x/b")), min_size=1, unique=True), "replicas": st.integers(0, 3),
    "containers": CONTAINERS,
})


def deployment(contents: Json) -> Json:
    metadata: Json = {"name": "a", **{key: copy.deepcopy(contents[key]) for key in ("labels", "finalizers") if key in contents}}
    spec = {key: contents[key] for key in ("replicas",) if key in contents}
    if "containers" in contents:
        spec["template"] = {"spec": {"containers": copy.deepcopy(contents["containers"])}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, **({"spec": spec} if spec else {})}


def marked(contents: Json, manager: str) -> Json:
    """With a label of the manager's own: an object that nobody owns anything of is one that was never tracked."""
    return {**contents, "labels": {**contents.get("labels", {}), f"by-{manager}": "x"}}


def applied(live: Json | None, contents: Json, manager: str, now: str = NOW) -> Json:
    return copy.deepcopy(TRACKER.apply(live, deployment(marked(contents, manager)), manager, now, force=True))


def updated(live: Json | None, contents: Json, manager: str) -> Json:
    new = deployment(marked(contents, manager))
    if live is not None and "managedFields" in live["metadata"]:
        new["metadata"]["managedFields"] = copy.deepcopy(live["metadata"]["managedFields"])
    TRACKER.update(live, new, manager, LATER)
    return new


def owners(obj: Json) -> dict[tuple[str, str], set[str]]:
    managers = decode_managers(obj["metadata"].get("managedFields") or ())
    return {(manager.manager, manager.operation): {path_text(path) for path in paths(entry.fields)} for manager, entry in managers.items()}


def plain(obj: Json) -> Json:
    """Without the managers, lists of maps by their names: the order of elements tells who came first, and is nobody's."""
    result = copy.deepcopy(obj)
    result["metadata"].pop("managedFields", None)
    result["metadata"]["finalizers"] = sorted(result["metadata"].get("finalizers") or ())
    containers = ((result.get("spec") or {}).get("template") or {}).get("spec", {}).get("containers") or []
    for container in containers:
        container["env"] = sorted(container.get("env") or (), key=lambda one: str(one["name"]))
    containers.sort(key=lambda one: str(one["name"]))
    return result


def leaves(value: Any, at: str = "") -> Iterator[str]:
    if not isinstance(value, dict) or not value:
        yield at
        return
    for key, child in value.items():
        yield from leaves(child, f"{at}.{key}")


@often
@given(CONTENTS, CONTENTS)
def test_applying_twice_is_applying_once(first: Json, second: Json) -> None:
    live = applied(applied(None, first, "one"), second, "two")

    again = applied(live, second, "two", LATER)

    assert plain(again) == plain(live)
    assert owners(again) == owners(live)


@often
@given(st.tuples(CONTENTS, CONTENTS, CONTENTS))
def test_three_managers_who_do_not_conflict_come_to_the_same_in_any_order(parts: tuple[Json, Json, Json]) -> None:
    """Each has labels, containers and finalizers of its own."""
    mine = []
    for index, contents in enumerate(parts):
        own: Json = {"labels": {f"{key}-{index}": value for key, value in contents.get("labels", {}).items()}}
        own["containers"] = [{**one, "name": f"{one['name']}-{index}"} for one in contents.get("containers", ())]
        own["finalizers"] = [f"{one}{index}" for one in contents.get("finalizers", ())]
        mine.append({key: value for key, value in own.items() if value})
    ends = []
    for order in itertools.permutations(range(3)):
        live: Json | None = None
        for index in order:
            live = TRACKER.apply(live, deployment(mine[index]), MANAGERS[index], NOW, force=False)
        assert live is not None
        ends.append((plain(live), owners(live)))

    assert all(end == ends[0] for end in ends)


@often
@given(st.lists(st.tuples(st.sampled_from(MANAGERS), st.booleans(), CONTENTS), min_size=1, max_size=6))
def test_any_sequence_of_writes_leaves_managers_who_own_what_is_there(writes: list[tuple[str, bool, Json]]) -> None:
    live: Json | None = None
    for manager, applies, contents in writes:
        live = applied(live, contents, manager) if applies else updated(live, contents, manager)
        entries = live["metadata"].get("managedFields") or []
        found = owners(live)
        assert len(entries) == len(found) and all(owned for owned in found.values())
        assert all(entry["fieldsType"] == "FieldsV1" and entry["apiVersion"] == "apps/v1" for entry in entries)
        present = {".metadata.labels." + key for key in live["metadata"].get("labels") or ()}
        held = set().union(*found.values()) if found else set()
        assert {path for path in held if path.startswith(".metadata.labels.")} == present
        if applies:
            wanted = {".metadata.labels." + key for key in contents.get("labels", ())}
            assert wanted <= found.get((manager, "Apply"), set())


@often
@given(CONTENTS, CONTENTS)
def test_who_applies_nothing_more_leaves_what_others_own(mine: Json, theirs: Json) -> None:
    both = applied(applied(None, mine, "one"), theirs, "two")

    without = copy.deepcopy(TRACKER.apply(both, deployment({}), "one", LATER, force=True))

    assert ("one", "Apply") not in owners(without)
    alone = applied(None, theirs, "two")
    assert owners(without).get(("two", "Apply")) == owners(alone).get(("two", "Apply"))
    kept = set(leaves(plain(without)["metadata"].get("labels") or {}))
    assert kept == set(leaves(plain(alone)["metadata"].get("labels") or {}))
    names = {one["name"] for one in plain(without).get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())}
    assert names == {one["name"] for one in theirs.get("containers", ())}


@seldom
@given(CONTENTS, CONTENTS)
def test_inputs_stay_as_they_are(first: Json, second: Json) -> None:
    live, config = applied(None, first, "one"), deployment(second)
    before = copy.deepcopy((live, config))

    TRACKER.apply(live, config, "two", NOW, force=True)

    assert (live, config) == before
