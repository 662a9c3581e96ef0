"""Values by their type: what is owned, what changed, how a configuration merges."""

from __future__ import annotations

from typing import Any

import pytest

from kube.apimachinery.managed_fields.comparison import compare
from kube.apimachinery.managed_fields.field_set import path_text, paths
from kube.apimachinery.managed_fields.merging import merge, remove
from kube.apimachinery.managed_fields.typed import TypedError, check, fields_of
from kube.apimachinery.managed_fields.types import DEDUCED, FieldType, ListType, type_for
from kube.apimachinery.scheme import GroupVersionKind

Json = dict[str, Any]
POD = type_for(GroupVersionKind("", "v1", "Pod"))
SERVICE = type_for(GroupVersionKind("", "v1", "Service"))
DEPLOYMENT = type_for(GroupVersionKind("apps", "v1", "Deployment"))
REVISION = type_for(GroupVersionKind("apps", "v1", "ControllerRevision"))


def texts(node: Any) -> list[str]:
    return [path_text(path) for path in paths(node)]


OWNED = [
    pytest.param(DEPLOYMENT, {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}}}, [".spec.replicas", ".spec.selector"],
                 id="an atomic struct is one field"),
    pytest.param(POD, {"metadata": {"labels": {"a": "b"}, "finalizers": ["x/y"]}},
                 [".metadata.finalizers[=\"x/y\"]", ".metadata.labels.a"], id="maps by key, sets by value"),
    pytest.param(POD, {"spec": {"containers": [{"name": "a", "command": ["x"], "ports": [{"containerPort": 1}]}]}}, [
        '.spec.containers[name="a"]', '.spec.containers[name="a"].command', '.spec.containers[name="a"].name',
        '.spec.containers[name="a"].ports[containerPort=1,protocol="TCP"]',
        '.spec.containers[name="a"].ports[containerPort=1,protocol="TCP"].containerPort',
    ], id="lists with keys by item, a key's default counts"),
    pytest.param(POD, {"spec": {"nodeSelector": {"a": "b"}, "securityContext": {}, "volumes": None, "containers": []}},
                 [".spec.nodeSelector", ".spec.securityContext", ".spec.volumes"], id="atomic map, empty struct, null"),
    pytest.param(SERVICE, {"spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}}, [
        '.spec.ports[port=53,protocol="TCP"]', '.spec.ports[port=53,protocol="UDP"]', '.spec.ports[port=53,protocol="TCP"].port',
        '.spec.ports[port=53,protocol="UDP"].port', '.spec.ports[port=53,protocol="UDP"].protocol',
    ], id="two keys"),
    pytest.param(REVISION, {"data": {"spec": {"x": 1}}}, [".data"], id="what the server does not look into"),
    pytest.param(DEDUCED, {"spec": {"a": {"b": 1}, "list": [{"name": "x"}]}}, [".spec", ".spec.a", ".spec.list", ".spec.a.b"],
                 id="deduced: maps by their parts, lists whole"),
]


@pytest.mark.parametrize(("kind", "value", "owned"), OWNED)
def test_what_an_applied_configuration_owns(kind: FieldType, value: Json, owned: list[str]) -> None:
    check(value, kind)

    assert texts(fields_of(value, kind)) == owned


WRONG = [
    pytest.param({"spec": {"frob": 1}}, ".spec.frob: field not declared in schema", id="unknown field"),
    pytest.param({"spec": {"containers": {}}}, ".spec.containers: expected list, got &{map[]}", id="map for list"),
    pytest.param({"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}, '.spec.containers: duplicate entries for key [name="a"]',
                 id="duplicate key"),
    pytest.param({"metadata": {"finalizers": ["a/b", "a/b"]}}, '.metadata.finalizers: duplicate entries for key [="a/b"]',
                 id="duplicate in a set"),
    pytest.param({"spec": {"containers": [None]}},
                 ".spec.containers: element 0: associative list with keys may not have a null element", id="null item"),
    pytest.param({"metadata": {"ownerReferences": ["x"]}},
                 ".metadata.ownerReferences: element 0: associative list with keys may not have non-map elements", id="text for item"),
    pytest.param({"spec": {"terminationGracePeriodSeconds": "30"}},
                 ".spec.terminationGracePeriodSeconds: expected numeric (int or float), got string", id="text for number"),
    pytest.param({"spec": {"nodeName": {"a": 1}}},
                 '.spec.nodeName: expected string, got &value.valueUnstructured{Value:map[string]interface {}{"a":1}}', id="map for text"),
    pytest.param({"spec": {"hostNetwork": 1}}, ".spec.hostNetwork: expected boolean, got &{1}", id="number for boolean"),
    pytest.param({"spec": {"hostNetwork": 1, "hostPID": "x"}},
                 "errors:\n  .spec.hostNetwork: expected boolean, got &{1}\n  .spec.hostPID: expected boolean, got &{x}", id="two"),
]


@pytest.mark.parametrize(("value", "message"), WRONG)
def test_what_has_not_the_form_of_its_type(value: Json, message: str) -> None:
    with pytest.raises(TypedError) as raised:
        check(value, POD)

    assert str(raised.value) == message


def test_an_item_without_any_key() -> None:
    kind = FieldType(list_=ListType(DEDUCED, atomic=False, keys=("a", "b")))

    with pytest.raises(TypedError) as raised:
        check([{"c": 1}], kind)

    assert str(raised.value) == (
        'element 0: associative list with keys has an element that omits all key fields ["a" "b"] '
        "(and doesn't have default values for any key fields)"
    )
    assert texts(fields_of([{"a": 1}, {"b": 1}, {"a": 1, "b": 1}], kind))[:3] == ["[a=1]", "[a=1,b=1]", "[b=1]"]


COMPARED = [
    pytest.param({}, {"metadata": {"name": "a"}, "spec": {"replicas": 1}}, [], [], [".metadata.name", ".spec.replicas"],
                 id="structs that are always there are nobody's"),
    pytest.param({"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, [], [".spec.replicas"], [], id="modified"),
    pytest.param({"spec": {"replicas": 1, "paused": True}}, {"spec": {"replicas": 1}}, [".spec.paused"], [], [], id="removed"),
    pytest.param({"metadata": {"labels": {"a": "1", "b": "1"}}}, {"metadata": {"labels": {"a": "2", "c": "1"}}},
                 [".metadata.labels.b"], [".metadata.labels.a"], [".metadata.labels.c"], id="map"),
    pytest.param({"metadata": {}}, {"metadata": {"labels": {"a": "1"}}}, [], [], [".metadata.labels", ".metadata.labels.a"],
                 id="a new map is owned beside its keys"),
    pytest.param({"spec": {"selector": {"matchLabels": {"a": "1"}}}}, {"spec": {"selector": {"matchLabels": {"a": "2"}}}}, [],
                 [".spec.selector"], [], id="atomic"),
    pytest.param({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["b", "c"]}},
                 ['.metadata.finalizers[="a"]'], [], ['.metadata.finalizers[="c"]'], id="set"),
    pytest.param({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["b", "a"]}}, [], [], [], id="order of a set"),
    pytest.param({"spec": {"strategy": {"type": "Recreate"}}}, {"spec": {"strategy": {}}}, [".spec.strategy.type"], [], [],
                 id="a struct that is empty now stays"),
]


@pytest.mark.parametrize(("old", "new", "removed", "modified", "added"), COMPARED)
def test_what_a_write_changes(old: Json, new: Json, removed: list[str], modified: list[str], added: list[str]) -> None:
    found = compare(old, new, DEPLOYMENT)

    assert (texts(found.removed), texts(found.modified), texts(found.added)) == (removed, modified, added)


def test_items_of_lists_are_compared_by_their_keys() -> None:
    def with_containers(*containers: Json) -> Json:
        return {"spec": {"containers": list(containers)}}

    old, new = with_containers({"name": "a", "image": "1"}, {"name": "b"}), with_containers({"name": "c"}, {"name": "a", "image": "2"})
    found = compare(old, new, POD)

    assert texts(found.removed) == ['.spec.containers[name="b"]', '.spec.containers[name="b"].name', '.spec.containers[name="b"].resources']
    assert texts(found.modified) == ['.spec.containers[name="a"].image']
    assert texts(found.added) == ['.spec.containers[name="c"]', '.spec.containers[name="c"].name', '.spec.containers[name="c"].resources']


def test_doubles_are_compared_as_one() -> None:
    def with_ports(*names: str) -> Json:
        return {"spec": {"ports": [{"port": 80, "protocol": "TCP", "name": name} for name in names]}}

    assert texts(compare(with_ports("a", "b"), with_ports("a", "c"), SERVICE).modified) == ['.spec.ports[port=80,protocol="TCP"]']
    assert texts(compare(with_ports("a", "b"), with_ports("a"), SERVICE).removed) == ['.spec.ports[port=80,protocol="TCP"]']
    assert texts(compare(with_ports("a"), with_ports("a", "b"), SERVICE).added) == ['.spec.ports[port=80,protocol="TCP"]']


def names_of(items: list[Json]) -> list[str]:
    return [item["name"] for item in items]


MERGED = [
    pytest.param("ab", "", "ab", id="others stay"), pytest.param("", "ab", "ab", id="new"), pytest.param("ab", "bc", "abc", id="beside"),
    pytest.param("abc", "cb", "acb", id="the configuration's order counts"), pytest.param("abcd", "xc", "abxcd", id="in the middle"),
    pytest.param("ab", "xb", "axb", id="before what is shared"),
]


@pytest.mark.parametrize(("live", "config", "merged"), MERGED)
def test_lists_with_keys_merge_item_by_item(live: str, config: str, merged: str) -> None:
    def spec(names: str) -> Json:
        return {"spec": {"containers": [{"name": name} for name in names]}}

    found = merge(spec(live), spec(config), POD)

    assert names_of(found["spec"]["containers"]) == list(merged)


def test_a_configuration_merges_into_the_live_object() -> None:
    live = {"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "1", "b": "1"}}}}
    config = {"metadata": {"labels": {"b": "2"}}, "spec": {"selector": {"matchLabels": {"a": "2"}}}}

    merged = merge(live, config, DEPLOYMENT)

    assert merged == {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "2"}}}}
    assert live["metadata"] == {"labels": {"a": "1"}}


def test_fields_are_removed() -> None:
    value = {"metadata": {"labels": {"a": "1", "b": "1"}}, "spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}}
    gone = fields_of({"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{"name": "b"}]}}, POD)

    assert remove(value, gone, POD) == {"metadata": {"labels": {"b": "1"}}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
