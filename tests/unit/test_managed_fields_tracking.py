"""Who owns what after updates and applies; removal, conflicts, old objects, other versions, other schemas."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from kube.apimachinery.errors import ApiError
from kube.apimachinery.managed_fields.conflicts import ApplyConflict
from kube.apimachinery.managed_fields.field_set import Node, difference, of, path_text, paths
from kube.apimachinery.managed_fields.managers import decode_managers, is_reset, packed
from kube.apimachinery.managed_fields.ownership import reconciled
from kube.apimachinery.managed_fields.scale import REPLICAS, parent_entries, scale_entries
from kube.apimachinery.managed_fields.tracking import LAST_APPLIED, FieldTracker, keep_times
from kube.apimachinery.managed_fields.types import DEDUCED, FieldType, ListType, MapType, type_for
from kube.apimachinery.scheme import GroupVersionKind

Json = dict[str, Any]
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
MAPS = FieldTracker(GroupVersionKind("", "v1", "ConfigMap"))
DEPLOYMENTS = FieldTracker(GroupVersionKind("apps", "v1", "Deployment"))
FROGS = FieldTracker(GroupVersionKind("example.com", "v1", "Frog"))


def config(tracker: FieldTracker, **parts: Any) -> Json:
    gvk = tracker.gvk
    return {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": {"name": "a"}, **parts}


def data(**values: str) -> Json:
    return config(MAPS, data=values)


def owned(obj: Json) -> dict[str, list[str]]:
    """Paths by manager (and /subresource)."""
    managers = decode_managers(obj["metadata"].get("managedFields") or ())
    return {
        "/".join(filter(None, (manager.manager, manager.subresource))): [path_text(path) for path in paths(entry.fields)]
        for manager, entry in managers.items()
    }


def plain(obj: Json) -> Any:
    return json.loads(msgspec.json.encode(obj))


def created(tracker: FieldTracker, obj: Json, manager: str = "maker", now: str = NOW) -> Json:
    tracker.update(None, obj, manager, now)
    obj["metadata"]["uid"] = "1"
    return obj


def updated(tracker: FieldTracker, old: Json, manager: str, now: str = LATER, **parts: Any) -> Json:
    new = {**old, **parts, "metadata": {**old["metadata"], **parts.get("metadata", {})}}
    tracker.update(old, new, manager, now)
    return new


def applied(tracker: FieldTracker, live: Json | None, wanted: Json, manager: str, now: str = NOW, *, force: bool = False) -> Json:
    return tracker.apply(live, wanted, manager, now, force=force)


# Updates

def test_a_change_moves_a_field_to_its_writer() -> None:
    obj = created(MAPS, data(a="1", b="1"))

    obj = updated(MAPS, obj, "other", data={"a": "2", "b": "1"})

    assert owned(obj) == {"maker": [".data", ".data.b"], "other": [".data.a"]}
    assert [entry["time"] for entry in obj["metadata"]["managedFields"]] == [NOW, LATER]


def test_who_changes_nothing_is_no_manager() -> None:
    obj = created(MAPS, data(a="1"))

    again = updated(MAPS, obj, "other")

    assert again["metadata"]["managedFields"] is obj["metadata"]["managedFields"]


def test_a_manager_that_writes_again_has_one_entry() -> None:
    obj = created(MAPS, data(a="1"))

    obj = updated(MAPS, obj, "maker", data={"a": "2", "b": "1"})

    assert owned(obj) == {"maker": [".data", ".data.a", ".data.b"]}
    assert obj["metadata"]["managedFields"][0]["time"] == LATER


def test_a_manager_that_owns_nothing_any_more_is_gone() -> None:
    obj = created(MAPS, data(a="1"))
    obj = updated(MAPS, obj, "other", data={"a": "1", "b": "1"})

    obj = updated(MAPS, obj, "maker", data={"a": "1", "b": "2"})

    assert list(owned(obj)) == ["maker"]


def test_bookkeeping_is_nobodys() -> None:
    metadata = {"name": "a", "namespace": "b", "uid": "x", "generation": 1, "creationTimestamp": NOW, "labels": {"a": "b"}}

    obj = created(MAPS, {**data(), "data": None, "metadata": metadata})

    assert owned(obj) == {"maker": [".data", ".metadata.labels", ".metadata.labels.a"]}


def test_what_a_door_cannot_change_is_not_owned_through_it() -> None:
    def without_status(found: Node) -> Node:
        return difference(found, of([("f:status",)]), recursive=True)

    tracker = FieldTracker(DEPLOYMENTS.gvk, "", without_status)
    old = created(tracker, config(tracker, spec={"replicas": 1}, status={"replicas": 1}))
    new = updated(FieldTracker(DEPLOYMENTS.gvk, "status"), old, "controller", status={"replicas": 2})

    after = updated(tracker, new, "user", spec={"replicas": 2}, status={})

    assert owned(old) == {"maker": [".spec.replicas"]}
    assert owned(after) == {"controller/status": [".status.replicas"], "user": [".spec.replicas"]}


def test_the_program_may_have_no_name() -> None:
    assert list(owned(created(MAPS, data(a="1"), manager=""))) == ["unknown"]


def test_through_a_subresource_nobody_writes_managed_fields() -> None:
    obj = created(DEPLOYMENTS, config(DEPLOYMENTS, spec={"replicas": 1}))
    new = {**obj, "metadata": {**obj["metadata"], "managedFields": []}}

    FieldTracker(DEPLOYMENTS.gvk, "status").update(obj, new, "other", LATER)

    assert owned(new) == {"maker": [".spec.replicas"]}


@pytest.mark.parametrize(("entries", "asked"), [([], True), ([{}], True), (None, False), ([{"manager": "a"}], False), ([{}, {}], False)])
def test_what_asks_for_a_reset(entries: Any, asked: bool) -> None:
    assert is_reset(entries) is asked


# Apply

def test_what_is_applied_no_more_goes() -> None:
    obj = applied(MAPS, None, data(a="1", b="1"), "one")

    obj = applied(MAPS, obj, data(a="1"), "one", LATER)

    assert obj["data"] == {"a": "1"}
    assert owned(obj) == {"one": [".data.a"]}


def test_what_another_applier_has_stays() -> None:
    obj = applied(MAPS, applied(MAPS, None, data(a="1", b="1"), "one"), data(b="1"), "two")

    obj = applied(MAPS, obj, data(a="1"), "one")

    assert obj["data"] == {"a": "1", "b": "1"}
    assert owned(obj) == {"one": [".data.a"], "two": [".data.b"]}


def test_what_an_updater_took_over_stays_when_the_applier_lets_go() -> None:
    obj = applied(MAPS, None, data(a="1", b="1"), "one")
    obj = updated(MAPS, obj, "updater", data={"a": "1", "b": "2"})

    obj = applied(MAPS, obj, data(a="1"), "one")

    assert obj["data"] == {"a": "1", "b": "2"}


def test_an_item_goes_unless_somebody_owns_a_part_of_it() -> None:
    def with_containers(*containers: Json) -> Json:
        return config(DEPLOYMENTS, spec={"template": {"spec": {"containers": list(containers)}}})

    first = applied(DEPLOYMENTS, None, with_containers({"name": "a", "image": "x"}, {"name": "b", "image": "y"}), "one")
    shared = applied(DEPLOYMENTS, first, with_containers({"name": "b", "command": ["z"]}), "two")

    alone = applied(DEPLOYMENTS, first, with_containers({"name": "a", "image": "x"}), "one")
    kept = applied(DEPLOYMENTS, shared, with_containers({"name": "a", "image": "x"}), "one")

    assert alone["spec"]["template"]["spec"]["containers"] == [{"name": "a", "image": "x"}]
    assert kept["spec"]["template"]["spec"]["containers"] == [{"name": "a", "image": "x"}, {"name": "b", "command": ["z"]}]


def test_conflicts_name_everybody_in_order() -> None:
    obj = created(MAPS, data(a="1"), "updater")
    obj = applied(MAPS, obj, data(b="1"), "zed")
    obj = applied(MAPS, obj, data(b="1", c="1"), "alf")

    with pytest.raises(ApplyConflict) as raised:
        applied(MAPS, obj, data(a="2", b="2", c="2"), "me")

    assert str(raised.value) == (
        'Apply failed with 4 conflicts: conflicts with "alf":\n- .data.b\n- .data.c\n'
        'conflicts with "updater" using v1:\n- .data.a\nconflicts with "zed":\n- .data.b'
    )
    assert [(cause.reason, cause.message, cause.field) for cause in raised.value.causes][2] == (
        "FieldManagerConflict", 'conflict with "updater" using v1', ".data.a",
    )


def test_force_takes_over() -> None:
    obj = created(MAPS, data(a="1", b="1"), "updater")

    obj = applied(MAPS, obj, data(a="2"), "me", force=True)

    assert (obj["data"], owned(obj)) == ({"a": "2", "b": "1"}, {"me": [".data.a"], "updater": [".data", ".data.b"]})


def test_a_conflict_through_a_subresource_says_so() -> None:
    status = FieldTracker(DEPLOYMENTS.gvk, "status")
    obj = created(DEPLOYMENTS, config(DEPLOYMENTS, spec={"replicas": 1}))
    new = updated(status, obj, "controller", status={"replicas": 1})

    with pytest.raises(ApplyConflict, match=r'conflict with "controller" with subresource "status" using apps/v1: \.status\.replicas'):
        status.apply(new, config(DEPLOYMENTS, status={"replicas": 2}), "me", NOW, force=False)


def test_objects_from_before_have_one_manager() -> None:
    old = {**data(a="1"), "metadata": {"name": "a", "uid": "1"}}

    with pytest.raises(ApplyConflict, match=r'conflict with "before-first-apply" using v1: \.data\.a'):
        applied(MAPS, old, data(a="2"), "me")
    obj = applied(MAPS, old, data(b="1"), "me")

    assert owned(obj) == {"me": [".data.b"], "before-first-apply": [".data", ".data.a"]}


def test_equal_items_that_live_objects_hold_twice_do_not_stop_an_apply() -> None:
    service = FieldTracker(GroupVersionKind("", "v1", "Service"))
    ports = [{"name": "a", "port": 80, "protocol": "TCP"}, {"name": "b", "port": 80, "protocol": "TCP"}]
    obj = created(service, config(service, spec={"ports": ports}))

    obj = applied(service, obj, config(service, spec={"selector": {"a": "b"}}), "me")

    assert obj["spec"] == {"ports": ports, "selector": {"a": "b"}}


def test_an_apply_that_changes_nothing_keeps_its_time() -> None:
    obj = applied(MAPS, None, data(a="1"), "one", NOW)

    again = applied(MAPS, obj, data(a="1"), "one", LATER)
    other = applied(MAPS, obj, data(a="2"), "one", LATER)

    assert again["metadata"]["managedFields"] == obj["metadata"]["managedFields"]
    assert other["metadata"]["managedFields"][0]["time"] == LATER


def test_times_alone_are_no_change() -> None:
    old = packed(plain(created(MAPS, data(a="1"))))
    entry = old["metadata"]["managedFields"][0]
    new = {**old, "metadata": {**old["metadata"], "managedFields": [{**entry, "time": LATER}]}}
    changed = {**new, "data": {"a": "2"}, "metadata": dict(new["metadata"])}

    keep_times(new, old)
    keep_times(changed, old)

    assert new == old
    assert changed["metadata"]["managedFields"][0]["time"] == LATER


def test_client_side_apply_hands_over_to_kubectl_alone() -> None:
    last = json.dumps(data(a="1"))
    obj = created(MAPS, {**data(a="1", b="1"), "metadata": {"name": "a", "annotations": {LAST_APPLIED: last}}}, "kubectl-client-side-apply")

    with pytest.raises(ApplyConflict):
        applied(MAPS, obj, data(a="2"), "somebody")
    with pytest.raises(ApplyConflict, match=r"1 conflict: .*: \.data\.b"):       # which was not applied
        applied(MAPS, obj, data(a="2", b="2"), "kubectl")
    obj = applied(MAPS, obj, data(a="2"), "kubectl")

    assert obj["data"] == {"a": "2", "b": "1"}
    assert obj["metadata"]["annotations"][LAST_APPLIED] == json.dumps(data(a="2"), separators=(",", ":"), sort_keys=True) + "\n"


@pytest.mark.parametrize(("wanted", "message"), [
    (config(FROGS), "invalid object type: example.com/v1, Kind=Frog"),
    ({**data(), "metadata": {"managedFields": []}}, "metadata.managedFields must be nil"),
    ({**data(), "kind": []}, "invalid object type: /v1, Kind="),
    ({**data(), "metadata": 3}, "failed to create typed patch object (/; /v1, Kind=ConfigMap): .metadata: expected map, got &{3}"),
    (data() | {"metadata": {"name": "a", "namespace": "ns"}, "frob": 1},
     "failed to create typed patch object (ns/a; /v1, Kind=ConfigMap): .frob: field not declared in schema"),
])
def test_what_cannot_be_applied(wanted: Json, message: str) -> None:
    with pytest.raises(ApiError) as raised:
        applied(MAPS, None, wanted, "me")

    assert raised.value.message == message


# Kinds nobody has a schema for, other versions, other schemas

def test_unknown_kinds_are_typed_by_what_they_hold() -> None:
    obj = applied(FROGS, None, config(FROGS, spec={"legs": {"left": 2, "right": 2}, "toes": [1, 2]}), "one")

    obj = applied(FROGS, obj, config(FROGS, spec={"legs": {"left": 2}, "toes": [1, 2]}), "one")

    assert obj["spec"] == {"legs": {"left": 2}, "toes": [1, 2]}
    with pytest.raises(ApplyConflict, match=r"\.spec\.toes"):
        applied(FROGS, obj, config(FROGS, spec={"toes": [1]}), "two")


def test_true_is_not_one() -> None:
    obj = applied(FROGS, None, config(FROGS, spec={"wet": True, "list": [1]}), "one")

    with pytest.raises(ApplyConflict) as raised:
        applied(FROGS, obj, config(FROGS, spec={"wet": 1, "list": [True]}), "two")

    assert [cause.field for cause in raised.value.causes] == [".spec.list", ".spec.wet"]
    assert applied(FROGS, obj, config(FROGS, spec={"wet": 1}), "two", force=True)["spec"]["wet"] is not True


def test_managers_of_other_versions_lose_what_changes_there() -> None:
    def in_version(obj: Json, version: str) -> Json | None:
        if version == "example.com/v0":
            return None
        old, new = ("legs", "limbs") if version.endswith("v2") else ("limbs", "legs")
        spec = {new if key == old else key: value for key, value in obj["spec"].items()}
        return {**obj, "apiVersion": version, "spec": spec}

    second = FieldTracker(GroupVersionKind("example.com", "v2", "Frog"), convert=in_version)
    obj = created(FROGS, config(FROGS, spec={"legs": 4, "colour": "green"}), "first")
    gone = {"manager": "gone", "operation": "Update", "apiVersion": "example.com/v0", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}
    obj["metadata"]["managedFields"].append(gone)
    old = in_version(obj, "example.com/v2")
    assert old is not None

    new = updated(second, old, "second", spec={"limbs": 3, "colour": "green"})

    assert owned(new) == {"first": [".spec", ".spec.colour"], "second": [".spec.limbs"]}


def test_what_becomes_atomic_is_owned_as_a_whole() -> None:
    fields = of([("f:spec", "f:toes", 'k:{"name":"a"}', "f:name"), ("f:spec", "f:legs")])
    atomic = ListType(DEDUCED, atomic=True)
    spec, whole = MapType(None, DEDUCED, atomic=False), MapType(None, DEDUCED, atomic=False)
    spec._fields = {"toes": FieldType(list_=atomic)}
    whole._fields = {"spec": FieldType(map_=spec)}

    found = reconciled(fields, FieldType(map_=whole))

    assert [path_text(path) for path in paths(found)] == [".spec.legs", ".spec.toes"]
    assert reconciled(found, FieldType(map_=whole)) is found
    assert reconciled(fields, DEDUCED) is fields


def test_old_managers_of_a_version_become_one() -> None:
    obj = created(MAPS, data(a="1"))

    for number in range(12):
        obj = updated(MAPS, obj, f"m{number:02}", f"2026-01-01T00:01:{number:02}Z", data={**obj["data"], f"k{number}": "1"})

    assert len(obj["metadata"]["managedFields"]) == 10
    assert obj["metadata"]["managedFields"][0]["manager"] == "ancient-changes"
    assert owned(obj)["ancient-changes"] == [".data", ".data.a", ".data.k0", ".data.k1", ".data.k2"]


# Scales

def replicas_in(version: str) -> tuple[str, ...] | None:
    return REPLICAS if version.startswith("apps/") else None


def entry(manager: str, operation: str = "Update", version: str = "apps/v1", *, subresource: str = "", **spec: Any) -> Json:
    found = {"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1",
             "fieldsV1": {"f:spec": {f"f:{name}": {} for name in spec}}}
    return found | ({"subresource": subresource} if subresource else {})


SCALED = [
    pytest.param([entry("a", replicas=1, paused=1)], [entry("b", version="autoscaling/v1", subresource="scale", replicas=1)],
                 [entry("a", paused=1), entry("b", subresource="scale", replicas=1)], id="taken over"),
    pytest.param([entry("a", replicas=1)], [entry("b", version="autoscaling/v1", subresource="scale", replicas=1)],
                 [entry("b", subresource="scale", replicas=1)], id="nothing left"),
    pytest.param([entry("a", replicas=1)], [entry("a", version="autoscaling/v1", replicas=1)], [entry("a", replicas=1)], id="unchanged"),
    pytest.param([entry("a", "Apply", replicas=1)], [
        entry("a", "Apply", "autoscaling/v1", replicas=1), entry("b", "Apply", "autoscaling/v1", subresource="scale", replicas=1),
    ], [entry("a", "Apply", replicas=1), entry("b", "Apply", subresource="scale", replicas=1)], id="shared"),
    pytest.param([entry("a", paused=1)], [], [entry("a", paused=1)], id="nobody's"),
]


@pytest.mark.parametrize(("parent", "scale", "after"), SCALED)
def test_entries_of_a_scale_become_its_parents(parent: list[Json], scale: list[Json], after: list[Json]) -> None:
    assert plain({"after": parent_entries(parent, scale, "apps/v1", replicas_in)})["after"] == after


def test_entries_of_a_scale_are_those_of_the_parents_replicas() -> None:
    entries = scale_entries([entry("a", replicas=1, paused=1), entry("b", paused=1), entry("c", version="old/v1", replicas=1)], replicas_in)

    assert plain({"entries": entries})["entries"] == [entry("a", version="autoscaling/v1", replicas=1)]


def test_every_built_in_kind_can_be_typed() -> None:
    from kube.apimachinery.resources import SCHEME

    assert all(type_for(row.gvk).map is not None for row in SCHEME)
