"""The official `kubernetes` client: typed calls and the dynamic client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import dynamic, stream

from launcher.testing.cluster import eventually
from tests.support.space import OFFICIAL, Space, config_map, container, hung_up, pod, server

STREAM: Any = stream
DYNAMIC: Any = dynamic


@pytest.fixture
def api(space: Space) -> Iterator[Any]:
    with space.python_client() as client:
        yield client


def test_an_object_from_create_to_delete(space: Space, api: Any) -> None:
    core = OFFICIAL.client.CoreV1Api(api)
    core.create_namespaced_config_map(space.namespace, config_map("c", a="1"))

    core.patch_namespaced_config_map("c", space.namespace, [{"op": "add", "path": "/data/json", "value": "2"}])
    core.patch_namespaced_config_map("c", space.namespace, {"data": {"merge": "3"}}, _content_type="application/merge-patch+json")
    core.patch_namespaced_config_map("c", space.namespace, {"data": {"a": None}}, _content_type="application/strategic-merge-patch+json")
    changed = core.read_namespaced_config_map("c", space.namespace)
    changed.data["replaced"] = "4"
    replaced = core.replace_namespaced_config_map("c", space.namespace, changed)
    with pytest.raises(OFFICIAL.client.ApiException) as conflict:
        core.replace_namespaced_config_map("c", space.namespace, changed)
    core.delete_namespaced_config_map("c", space.namespace)

    assert replaced.data == {"json": "2", "merge": "3", "replaced": "4"}
    assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")


def test_server_side_apply(space: Space, api: Any) -> None:
    configs = DYNAMIC.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")

    first = configs.server_side_apply(config_map("c", a="1"), namespace=space.namespace, field_manager="one")
    with pytest.raises(DYNAMIC.exceptions.ConflictError) as refused:
        configs.server_side_apply(config_map("c", a="2"), namespace=space.namespace, field_manager="two")
    forced = configs.server_side_apply(config_map("c", a="2"), namespace=space.namespace, field_manager="two", force_conflicts=True)

    assert [one.manager for one in first.metadata.managedFields] == ["one"]
    assert 'conflict with \\"one\\": .data.a' in str(refused.value.body)
    assert forced.data.a == "2"


def test_pages_and_a_watch_that_goes_on_from_them(space: Space, api: Any) -> None:
    core = OFFICIAL.client.CoreV1Api(api)
    space.create(*(config_map(f"c{number}") for number in range(7)))
    names, token, pages = [], None, 0
    while token != "":
        page = core.list_namespaced_config_map(space.namespace, limit=3, _continue=token or None)
        names += [item.metadata.name for item in page.items]
        token, pages = page.metadata._continue or "", pages + 1
    core.delete_namespaced_config_map("c0", space.namespace)

    watcher = OFFICIAL.watch.Watch()
    seen = next(iter(watcher.stream(
        core.list_namespaced_config_map, space.namespace, resource_version=page.metadata.resource_version, timeout_seconds=30)))
    watcher.stop()

    assert (names, pages) == ([*(f"c{number}" for number in range(7)), "kube-root-ca.crt"], 3)
    assert (seen["type"], seen["object"].metadata.name) == ("DELETED", "c0")


def test_exec_logs_and_port_forward(space: Space, api: Any) -> None:
    space.run(pod("p", server(answer="hello")), pod("logs", container(script="echo one; exec sleep 1000")))
    core = OFFICIAL.client.CoreV1Api(api)

    said = STREAM.stream(core.connect_get_namespaced_pod_exec, "p", space.namespace, command=["echo", "hi"], stdout=True, stderr=True)
    forwarded = STREAM.portforward(core.connect_get_namespaced_pod_portforward, "p", space.namespace, ports="8080")
    channel = forwarded.socket(8080)
    channel.settimeout(20)
    channel.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b"".join(iter(lambda: channel.recv(4096), b""))
    channel.close()

    assert said == "hi\n"
    assert answer.endswith(b"hello\n")
    assert eventually(lambda: core.read_namespaced_pod_log("logs", space.namespace)) == "one\n"


def test_a_shell_that_is_typed_into(space: Space, api: Any) -> None:
    space.run(pod("p"))
    core = OFFICIAL.client.CoreV1Api(api)

    shell = STREAM.stream(
        core.connect_get_namespaced_pod_exec, "p", space.namespace, command=["cat"], stdin=True, stdout=True, stderr=True,
        _preload_content=False,
    )
    with hung_up(shell):
        shell.write_stdin("typed\n")
        assert shell.readline_stdout(timeout=20) == "typed"


def test_objects_of_a_custom_kind(space: Space, api: Any) -> None:
    """The CustomObjectsApi of the typed client, and what the dynamic client finds by discovery."""
    group = f"{space.namespace}.example.com"
    definition = {
        "metadata": {"name": f"widgets.{group}"}, "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}
    definitions = OFFICIAL.client.ApiextensionsV1Api(api)
    definitions.create_custom_resource_definition(definition)
    try:
        eventually(lambda: any(
            condition.type == "Established" and condition.status == "True"
            for condition in definitions.read_custom_resource_definition(f"widgets.{group}").status.conditions or []))
        custom = OFFICIAL.client.CustomObjectsApi(api)
        widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}

        custom.create_namespaced_custom_object(group, "v1", space.namespace, "widgets", widget)
        custom.patch_namespaced_custom_object_status(group, "v1", space.namespace, "widgets", "w", {"status": {"ready": True}})
        found = eventually(lambda: DYNAMIC.DynamicClient(api).resources.get(api_version=f"{group}/v1", kind="Widget"))

        assert found.get(name="w", namespace=space.namespace).status.ready is True
        custom.delete_namespaced_custom_object(group, "v1", space.namespace, "widgets", "w")
    finally:
        definitions.delete_custom_resource_definition(f"widgets.{group}")
