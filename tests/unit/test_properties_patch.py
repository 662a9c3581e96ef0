"""Patches against the words of their RFCs; whatever is sent, a patch gives an object or an API error and changes neither of its inputs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.apimachinery.errors import ApiError
from kube.apimachinery.patch.json_patch import apply_json_patch
from kube.apimachinery.patch.merge_patch import apply_merge_patch
from kube.apimachinery.patch.strategic import apply_strategic_patch
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import GroupVersionKind
from tests.support.properties import Json, objects, often, solid_objects, values

PODS = schemas().for_kind(GroupVersionKind("", "v1", "Pod"))


# Merge patches: RFC 7386, section 2

def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def merge_difference(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone: Json = dict.fromkeys(old.keys() - new.keys())
    return gone | {key: merge_difference(old.get(key), value) for key, value in new.items() if key not in old or old[key] != value}


@often
@given(objects, objects)
def test_merge_patches_do_what_the_rfc_says(doc: Json, patch: Json) -> None:
    before = copy.deepcopy((doc, patch))

    assert apply_merge_patch(doc, patch) == merged(doc, patch)
    assert (doc, patch) == before


@often
@given(solid_objects, solid_objects)
def test_the_difference_of_two_objects_as_a_merge_patch_gives_the_second(old: Json, new: Json) -> None:
    assert apply_merge_patch(old, merge_difference(old, new)) == new


# JSON patches: RFC 6902

class Refused(Exception):
    pass


def steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise Refused
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def index(step: str, length: int) -> int:
    if not step.isascii() or not step.isdigit() or (step != "0" and step[0] == "0") or int(step) >= length:
        raise Refused
    return int(step)


def find(doc: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(doc, dict) and step in doc:
            doc = doc[step]
        elif isinstance(doc, list):
            doc = doc[index(step, len(doc))]
        else:
            raise Refused
    return doc


def put(doc: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    place, last = find(doc, path[:-1]), path[-1]
    if isinstance(place, dict):
        place[last] = value
    elif isinstance(place, list):
        place.insert(len(place) if last == "-" else index(last, len(place) + 1), value)
    else:
        raise Refused
    return doc


def take(doc: Any, path: list[str]) -> Any:
    if not path:
        raise Refused
    place, last = find(doc, path[:-1]), path[-1]
    if isinstance(place, dict) and last in place:
        del place[last]
    elif isinstance(place, list):
        del place[index(last, len(place))]
    else:
        raise Refused


def operated(doc: Any, operation: Json) -> Any:
    path, kind = steps(operation["path"]), operation["op"]
    if kind == "add":
        return put(doc, path, copy.deepcopy(operation["value"]))
    if kind == "remove":
        take(doc, path)
        return doc
    if kind == "replace":      # upstream's library adds a key that is missing, whatever the RFC says
        place: Any = find(doc, path[:-1])
        if not isinstance(place, dict | list):
            raise Refused
        at: Any = path[-1] if isinstance(place, dict) else index(path[-1], len(place))
        place[at] = copy.deepcopy(operation["value"])
        return doc
    source = steps(operation["from"])
    value = copy.deepcopy(find(doc, source))
    if kind == "move":
        if path[:len(source)] == source and path != source:
            raise Refused
        take(doc, source)
    return put(doc, path, value)


PATHS = st.sampled_from(("/a", "/b", "/c", "/a/a", "/a/b", "/b/0", "/b/1", "/a/0", "/b/-", "/a/-", "/a~1b", "/a~0b", "/~01", "/", "/c/00"))
OPERATIONS = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(("add", "replace")), "path": PATHS, "value": values}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": PATHS}),
    st.fixed_dictionaries({"op": st.sampled_from(("move", "copy")), "path": PATHS, "from": PATHS}),
)


@often
@given(objects, st.lists(OPERATIONS, max_size=4))
def test_json_patches_do_what_the_rfc_says(doc: Json, operations: list[Json]) -> None:
    before = copy.deepcopy(doc)
    expected: Any = copy.deepcopy(doc)
    try:
        for operation in operations:
            expected = operated(expected, operation)
    except Refused:
        with pytest.raises(ApiError):
            apply_json_patch(doc, operations)
    else:
        assert apply_json_patch(doc, operations) == expected
    assert doc == before


@often
@given(objects, values)
def test_any_json_is_a_json_patch_or_an_error(doc: Json, operations: Any) -> None:
    try:
        apply_json_patch(doc, operations)
    except ApiError as error:
        assert error.code in (400, 422)  # noqa: PT017


# Strategic merge patches

IMAGES = st.sampled_from(("x:1", "x:2"))
ENV = st.lists(st.fixed_dictionaries({"name": st.sampled_from("ABC"), "value": st.sampled_from("12")}), max_size=3,
               unique_by=lambda one: one["name"])
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abc"), "image": IMAGES}, optional={"env": ENV, "args": st.lists(IMAGES, max_size=2)}),
    max_size=3, unique_by=lambda one: one["name"])
PLAIN = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({}, optional={
        "labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
        "finalizers": st.lists(st.sampled_from(("x/a", "x/b", "x/c")), unique=True, max_size=3)}),
     "spec": st.fixed_dictionaries({"containers": CONTAINERS}, optional={
        "nodeSelector": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")), "hostNetwork": st.booleans()})})


def strategic_difference(old: Json, new: Json, keyed: dict[str, str], sets: tuple[str, ...] = ("finalizers",)) -> Json:
    """As kubectl makes it: elements by key, deletions by directive, then the order."""
    patch: Json = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        held = old.get(key)
        if held == value:
            continue
        if isinstance(held, dict) and isinstance(value, dict):
            patch[key] = strategic_difference(held, value, keyed, sets)
        elif key in keyed and isinstance(held, list):
            name = keyed[key]
            before = {one[name]: one for one in held}
            wanted = {one[name]: one for one in value}
            changed = [
                strategic_difference(before[one[name]], one, keyed, sets) | {name: one[name]} if one[name] in before else one
                for one in value if before.get(one[name]) != one
            ]
            patch[key] = [*changed, *({name: gone, "$patch": "delete"} for gone in before if gone not in wanted)]
            patch[f"$setElementOrder/{key}"] = [{name: one[name]} for one in value]
        elif key in sets and isinstance(held, list):
            patch[key] = [one for one in value if one not in held]
            patch[f"$deleteFromPrimitiveList/{key}"] = [one for one in held if one not in value]
            patch[f"$setElementOrder/{key}"] = value
        else:
            patch[key] = value
    return patch


@often
@given(PLAIN, PLAIN)
def test_the_difference_as_a_strategic_patch_gives_the_second(old: Json, new: Json) -> None:
    patch = strategic_difference(old, new, {"containers": "name", "env": "name"})
    before = copy.deepcopy((old, patch))

    assert apply_strategic_patch(old, patch, PODS) == new
    assert (old, patch) == before


DIRECTED = st.recursive(
    st.one_of(st.none(), st.integers(0, 2), st.sampled_from(("a", "delete", "replace", "merge", "x:1"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((
        "$patch", "$retainKeys", "$setElementOrder/containers", "$setElementOrder/env", "$setElementOrder/finalizers",
        "$deleteFromPrimitiveList/finalizers", "$deleteFromPrimitiveList/containers", "$setElementOrder/", "$deleteFromPrimitiveList/",
        "metadata", "spec", "containers", "env", "name", "finalizers", "labels", "volumes", "a",
    )), inner, max_size=4), max_leaves=12)


@often
@given(PLAIN, DIRECTED | st.fixed_dictionaries({"spec": DIRECTED, "metadata": DIRECTED})
       | st.fixed_dictionaries({"spec": st.fixed_dictionaries({"containers": st.lists(DIRECTED, max_size=3)})}))
def test_any_directives_give_an_object_or_an_error(old: Json, patch: Any) -> None:
    before = copy.deepcopy((old, patch))
    try:
        assert isinstance(apply_strategic_patch(old, patch, PODS), dict)
    except ApiError as error:
        assert error.code in (400, 422)  # noqa: PT017
    assert (old, patch) == before


@often
@given(PLAIN, PLAIN)
def test_replace_and_delete_leave_nothing_of_before(old: Json, new: Json) -> None:
    replaced = apply_strategic_patch(old, {"spec": {**new["spec"], "$patch": "replace"}}, PODS)
    deleted = apply_strategic_patch(old, {"spec": {"$patch": "delete"}}, PODS)
    lists = apply_strategic_patch(old, {"spec": {"containers": [{"$patch": "replace"}, *new["spec"]["containers"]]}}, PODS)

    assert replaced["spec"] == new["spec"]
    assert not deleted.get("spec")
    assert lists["spec"]["containers"] == new["spec"]["containers"]


@often
@given(PLAIN, st.lists(st.sampled_from(("containers", "nodeSelector", "hostNetwork")), unique=True))
def test_retain_keys_drops_all_others(old: Json, kept: list[str]) -> None:
    patch = {"strategy": {"$retainKeys": kept}}
    doc = {"strategy": old["spec"]}

    assert apply_strategic_patch(doc, patch, None) == {"strategy": {key: value for key, value in old["spec"].items() if key in kept}}
