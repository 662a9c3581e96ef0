"""kr8s: objects with methods, kubectl's habits in Python."""

from __future__ import annotations

import socket
from typing import Any

import kr8s
import pytest
from kr8s import objects

from launcher.testing.cluster import eventually
from tests.support.space import Space, config_map, container, deployment, pod, server

OBJECTS: Any = objects
KR8S: Any = kr8s


@pytest.fixture
def api(space: Space, kubeconfig: str) -> Any:
    return KR8S.api(kubeconfig=kubeconfig, namespace=space.namespace)


def test_an_object_from_create_to_delete(space: Space, api: Any) -> None:
    made = OBJECTS.ConfigMap({**config_map("c", a="1"), "metadata": {"name": "c", "namespace": space.namespace}}, api=api)
    made.create()

    made.patch([{"op": "add", "path": "/data/json", "value": "2"}], type="json")
    made.patch({"data": {"merge": "3", "a": None}})
    made.label(colour="red")
    made.annotate(note="x")
    made.refresh()

    assert (dict(made.data), made.labels["colour"], made.annotations["note"]) == ({"json": "2", "merge": "3"}, "red", "x")
    assert [one.name for one in api.get("cm", label_selector={"colour": "red"})] == ["c"]
    made.delete()
    made.wait("delete", timeout=30)
    assert not made.exists()


def test_a_watch_and_a_list(space: Space, api: Any) -> None:
    space.create(*(config_map(f"c{number}") for number in range(3)))

    told = {}
    for kind, one in api.watch("configmaps", namespace=space.namespace):
        told[one.name] = kind
        if len(told) == 4:
            break

    assert told == dict.fromkeys(["c0", "c1", "c2", "kube-root-ca.crt"], "ADDED")


def test_a_pod_is_looked_into(space: Space, api: Any) -> None:
    space.run(pod("p", server(answer="hello")), pod("logs", container(script="echo one; exec sleep 1000")))
    held = OBJECTS.Pod.get("p", namespace=space.namespace, api=api)

    said = held.exec(["sh", "-c", "echo hi; echo no >&2"])
    with held.portforward(8080, local_port="auto") as port, socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    assert (held.ready(), said.stdout, said.stderr, said.returncode) == (True, b"hi\n", b"no\n", 0)
    assert answer.endswith(b"hello\n")
    logs = OBJECTS.Pod.get("logs", namespace=space.namespace, api=api)
    assert eventually(lambda: list(logs.logs())) == ["one"]


def test_scaling_and_waiting(space: Space, api: Any) -> None:
    space.create(deployment("d"))
    held = OBJECTS.Deployment.get("d", namespace=space.namespace, api=api)

    held.wait("condition=Available", timeout=60)
    held.scale(2)

    assert held.replicas == 2
    eventually(lambda: len(held.pods()) == 2)


def test_discovery_and_version(api: Any) -> None:
    kinds = {one["kind"]: one for one in api.api_resources()}

    assert kinds["Deployment"]["shortNames"] == ["deploy"]
    assert "apps/v1" in list(api.api_versions())
    assert api.version()["gitVersion"].startswith("v1.37")
    assert "kube-system" in [one.name for one in api.get("namespaces")]
