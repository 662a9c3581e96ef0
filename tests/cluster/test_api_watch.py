"""Lists and watches through the official Python client."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import OFFICIAL, Space, config_map

OURS = "metadata.name!=kube-root-ca.crt"


@pytest.fixture
def core(space: Space) -> Iterator[Any]:
    with space.python_client() as api:
        yield OFFICIAL.client.CoreV1Api(api)


def test_a_watch_goes_on_where_the_list_ended(space: Space, core: Any) -> None:
    space.create(config_map("before"))
    listed = core.list_namespaced_config_map(space.namespace)
    space.create(config_map("c", a="1"))
    space.kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"data":{"a":"2"}}')
    space.kubectl("delete", "configmap", "c")

    seen = []
    for event in space.watch(core.list_namespaced_config_map, resource_version=listed.metadata.resource_version, timeout_seconds=60):
        seen.append((event["type"], event["object"].metadata.name, (event["object"].data or {}).get("a")))
        if event["type"] == "DELETED":
            break

    assert "before" in [item.metadata.name for item in listed.items]
    assert seen == [("ADDED", "c", "1"), ("MODIFIED", "c", "2"), ("DELETED", "c", "2")]


def test_a_watch_without_a_version_begins_with_what_exists(space: Space, core: Any) -> None:
    space.create(config_map("a"), config_map("b"))

    seen = [
        (event["type"], event["object"].metadata.name)
        for event in space.watch(core.list_namespaced_config_map, field_selector=OURS, timeout_seconds=3)
    ]

    assert seen == [("ADDED", "a"), ("ADDED", "b")]


def test_a_selector_turns_changes_into_comings_and_goings(space: Space, core: Any) -> None:
    space.create(config_map("c"))
    version = core.list_namespaced_config_map(space.namespace).metadata.resource_version

    space.kubectl("label", "configmap", "c", "in=yes")
    space.kubectl("label", "configmap", "c", "in-")
    events = space.watch(core.list_namespaced_config_map, label_selector="in=yes", resource_version=version, timeout_seconds=60)

    first, second = (next(events) for _ in range(2))
    assert [(event["type"], event["object"].metadata.name) for event in (first, second)] == [("ADDED", "c"), ("DELETED", "c")]


def test_initial_events_end_with_a_bookmark(space: Space, core: Any) -> None:
    space.create(config_map("c"))

    last = None
    for event in space.watch(
        core.list_namespaced_config_map, send_initial_events=True, resource_version_match="NotOlderThan", allow_watch_bookmarks=True,
        timeout_seconds=60,
    ):
        last = event
        if event["type"] == "BOOKMARK":
            break

    assert last is not None
    assert last["type"] == "BOOKMARK"
    assert last["raw_object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(last["raw_object"]["metadata"]["resourceVersion"]) > 0


def test_too_old_a_version_is_gone(space: Space, core: Any) -> None:
    old = core.list_namespaced_config_map(space.namespace).metadata.resource_version
    space.create(config_map("c"))
    os.kill(space.cluster.process("apiserver")["pid"], signal.SIGKILL)      # the new one has no history from before itself
    eventually(lambda: space.kubectl("get", "--raw", "/readyz") == "ok")

    with pytest.raises(OFFICIAL.client.ApiException) as caught:
        for _ in space.watch(core.list_namespaced_config_map, resource_version=old, timeout_seconds=60):
            pass

    assert caught.value.status == 410
    assert f"too old resource version: {old} (" in str(caught.value)


def test_many_watchers_see_the_same_order(space: Space, core: Any) -> None:
    version = core.list_namespaced_config_map(space.namespace).metadata.resource_version
    names = [f"c{number:02}" for number in range(20)]
    seen: list[list[tuple[str, str]]] = [[] for _ in range(4)]

    def follow(into: list[tuple[str, str]]) -> None:
        with space.python_client() as api:
            call = OFFICIAL.client.CoreV1Api(api).list_namespaced_config_map
            for event in space.watch(call, field_selector=OURS, resource_version=version, timeout_seconds=120):
                into.append((event["object"].metadata.name, event["object"].metadata.resource_version))
                if len(into) == len(names):
                    return

    watchers = [threading.Thread(target=follow, args=[into]) for into in seen]
    for watcher in watchers:
        watcher.start()
    for name in names:
        core.create_namespaced_config_map(space.namespace, config_map(name))
    for watcher in watchers:
        watcher.join(timeout=120)

    assert [name for name, _ in seen[0]] == names
    assert all(other == seen[0] for other in seen)
    assert [int(version) for _, version in seen[0]] == sorted(int(version) for _, version in seen[0])


def test_lists_in_pages_are_of_one_moment(space: Space, core: Any) -> None:
    space.create(*(config_map(f"c{number}") for number in range(5)))

    first = core.list_namespaced_config_map(space.namespace, limit=2)
    space.create(config_map("late"))
    second = core.list_namespaced_config_map(space.namespace, limit=10, _continue=first.metadata._continue)

    names = [item.metadata.name for item in [*first.items, *second.items]]
    assert (len(first.items), first.metadata.remaining_item_count) == (2, 4)
    assert names == ["c0", "c1", "c2", "c3", "c4", "kube-root-ca.crt"]
    assert second.metadata.resource_version == first.metadata.resource_version
    assert not second.metadata._continue


def test_delete_collection_by_selector(space: Space, core: Any) -> None:
    for number in range(4):
        core.create_namespaced_config_map(
            space.namespace, {"metadata": {"name": f"c{number}", "labels": {"half": str(number % 2)}}},
        )

    core.delete_collection_namespaced_config_map(space.namespace, label_selector="half=0")

    left = core.list_namespaced_config_map(space.namespace, label_selector="half")
    assert [item.metadata.name for item in left.items] == ["c1", "c3"]


def test_typed_objects_make_the_whole_way(space: Space, core: Any) -> None:
    kube = OFFICIAL.client
    main = kube.V1Container(name="main", image="busybox", command=["sleep", "100"])
    spec = kube.V1PodSpec(containers=[main], termination_grace_period_seconds=0)
    body = kube.V1Pod(metadata=kube.V1ObjectMeta(generate_name="made-"), spec=spec)

    created = core.create_namespaced_pod(space.namespace, body)
    name = created.metadata.name
    eventually(lambda: core.read_namespaced_pod(name, space.namespace).status.phase == "Running")
    status = core.read_namespaced_pod_status(name, space.namespace).status
    core.delete_namespaced_pod(name, space.namespace)

    assert re.fullmatch("made-[a-z0-9]{5}", name)
    assert (created.spec.restart_policy, created.status.phase) == ("Always", "Pending")
    assert {condition.type for condition in status.conditions} == {
        "PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready",
    }

    def gone() -> bool:
        try:
            core.read_namespaced_pod(name, space.namespace)
        except OFFICIAL.client.ApiException as error:
            return bool(error.status == 404)
        return False

    eventually(gone)
