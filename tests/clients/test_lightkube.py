"""lightkube: typed models on httpx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.core_v1 import PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType

from launcher.testing.cluster import eventually
from tests.support.space import Space, container, deployment, pod


@pytest.fixture
def client(space: Space, kubeconfig: str) -> Iterator[Client]:
    with Client(config=KubeConfig.from_file(kubeconfig), namespace=space.namespace, field_manager="tests") as made:
        yield made


def test_an_object_from_create_to_delete(client: Client) -> None:
    client.create(ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "1"}))

    client.patch(ConfigMap, "c", [{"op": "add", "path": "/data/json", "value": "2"}], patch_type=PatchType.JSON)
    client.patch(ConfigMap, "c", {"data": {"merge": "3"}}, patch_type=PatchType.MERGE)
    client.patch(ConfigMap, "c", {"data": {"a": None}}, patch_type=PatchType.STRATEGIC)
    held = client.get(ConfigMap, "c")
    replaced = client.replace(ConfigMap(metadata=held.metadata, data={**(held.data or {}), "replaced": "4"}))
    client.delete(ConfigMap, "c")
    with pytest.raises(ApiError) as gone:
        client.get(ConfigMap, "c")

    assert replaced.data == {"json": "2", "merge": "3", "replaced": "4"}
    assert (gone.value.status.code, gone.value.status.reason) == (404, "NotFound")


def test_server_side_apply(client: Client) -> None:
    wanted = ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="c"), data={"a": "1"})
    client.apply(wanted)
    wanted.data = {"a": "2"}

    with pytest.raises(ApiError, match="conflict with \"tests\""):
        client.apply(wanted, field_manager="other")

    assert (client.apply(wanted, field_manager="other", force=True).data or {}) == {"a": "2"}


def test_pages_and_a_watch(client: Client) -> None:
    for number in range(7):
        client.create(ConfigMap(metadata=ObjectMeta(name=f"c{number}", labels={"n": str(number)})))

    found = client.list(ConfigMap, chunk_size=3)
    names = [item.metadata.name for item in found if item.metadata]
    chosen = [item.metadata.name for item in client.list(ConfigMap, labels={"n": {"5", "6"}}) if item.metadata]
    client.delete(ConfigMap, "c0")
    kind, told = next(iter(client.watch(ConfigMap, resource_version=found.resourceVersion, server_timeout=30)))

    assert names == [*(f"c{number}" for number in range(7)), "kube-root-ca.crt"]
    assert chosen == ["c5", "c6"]
    assert (kind, told.metadata.name if told.metadata else "") == ("DELETED", "c0")


def test_exec_and_logs(space: Space, client: Client) -> None:
    space.run(pod("p", container(script="echo one; exec sleep 1000")))

    said = client.exec("p", command=["sh", "-c", "cat; exit 3"], stdin="typed", stdout=True, stderr=True)

    assert (said.stdout, said.exit_code) == ("typed", 3)
    assert eventually(lambda: list(client.log("p", newlines=False))) == ["one"]


def test_waiting_and_scaling(space: Space, client: Client) -> None:
    wanted: Any = Deployment.from_dict(deployment("d"))
    client.create(wanted)

    client.wait(Deployment, "d", for_conditions=["Available"])
    client.patch(Deployment.Scale, "d", {"spec": {"replicas": 2}})

    scale = client.get(Deployment.Scale, "d")
    assert scale.spec is not None and scale.spec.replicas == 2
    eventually(lambda: len([one for one in client.list(Pod, labels={"app": "d"}) if isinstance(one.spec, PodSpec)]) == 2)
