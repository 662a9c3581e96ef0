"""What Pods' volumes are made of is watched while a Pod needs it, once for all Pods, and a change wakes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace

from kube.api.certificates_v1 import PodCertificateRequest, PodCertificateRequestSpec
from kube.api.core_v1 import (
    ClusterTrustBundleProjection,
    ConfigMap,
    ConfigMapVolumeSource,
    Pod,
    PodCertificateProjection,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.informer import InformerFactory
from node_agent.volumes import followed
from node_agent.volumes.followed import FollowedObjects, Selection, selections_of
from tests.support.memory_transport import MemoryTransport
from tests.support.pods import pod

SETTINGS = Volume(name="v", config_map=ConfigMapVolumeSource(name="settings"))
KEY = NamespacedName("default", "settings")


def settings(value: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"a": value})


class Node:
    """A kubelet's part of the API."""

    def __init__(self, client: Client, informers: InformerFactory) -> None:
        self.client = client
        self.woken: list[str] = []
        self.objects = FollowedObjects(informers, "node1", self.woken.append)

    def pod(self, uid: str, *volumes: Volume) -> Pod:
        made = pod(volumes=volumes)
        return replace(made, metadata=replace(made.metadata, uid=uid))

    async def value(self) -> str | None:
        informer = await self.objects.find(followed.config_map("default", "settings"))
        assert informer is not None
        found = informer.get(KEY)
        return found.data["a"] if found is not None else None


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with Client(MemoryTransport()) as client, InformerFactory(client) as informers:
        await informers.start()
        yield Node(client, informers)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():      # noqa: ASYNC110   # what is waited for has no event of its own
            await asyncio.sleep(0.005)


async def test_every_pod_that_names_it_is_woken_by_a_change_and_not_by_the_first_look(node: Node) -> None:
    await node.client.create(settings("one"))
    node.objects.follow(node.pod("u1", SETTINGS))
    node.objects.follow(node.pod("u2", SETTINGS))
    node.objects.follow(node.pod("u3"))
    assert await node.value() == "one"
    assert node.woken == []

    await node.client.patch(ConfigMap, KEY, {"data": {"a": "two"}})
    await until(lambda: len(node.woken) == 2)

    assert sorted(node.woken) == ["u1", "u2"]
    assert await node.value() == "two"


async def test_what_comes_into_being_wakes_them_too(node: Node) -> None:
    node.objects.follow(node.pod("u1", SETTINGS))
    assert await node.value() is None

    await node.client.create(settings("late"))
    await until(lambda: node.woken == ["u1"])

    assert await node.value() == "late"


async def test_nobody_is_followed_any_more_after_the_last_pod(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "LINGER_S", 0.0)
    selection = followed.config_map("default", "settings")
    for uid in ("u1", "u2"):
        node.objects.follow(node.pod(uid, SETTINGS))
    informer = await node.objects.find(selection)
    assert informer is not None

    node.objects.forget("u1")
    await asyncio.sleep(0)
    assert not informer.stopped
    node.objects.forget("u2")
    node.objects.follow(node.pod("u3", SETTINGS))
    await asyncio.sleep(0.01)
    assert not informer.stopped
    node.objects.forget("u3")
    await until(lambda: informer.stopped)

    assert await node.objects.find(selection) is None


async def test_requests_wake_the_pod_that_they_are_for(node: Node) -> None:
    own = VolumeProjection(pod_certificate=PodCertificateProjection(signer_name="e.x/s"))
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=(own,)))
    for uid in ("u1", "u2"):
        node.objects.follow(node.pod(uid, volume))
    await node.objects.find(followed.certificate_requests("node1"))

    await node.client.create(PodCertificateRequest(
        metadata=ObjectMeta(name="r", namespace="default"), spec=PodCertificateRequestSpec(node_name="node1", pod_uid="u2")))
    await until(lambda: node.woken == ["u2"])


def test_all_that_volumes_name() -> None:
    sources = (
        VolumeProjection(secret=SecretProjection(name="s2")), VolumeProjection(cluster_trust_bundle=ClusterTrustBundleProjection(name="b")),
        VolumeProjection(pod_certificate=PodCertificateProjection()),
    )
    volumes = (SETTINGS, Volume(secret=SecretVolumeSource(secret_name="s1")), Volume(projected=ProjectedVolumeSource(sources=sources)))

    assert set(selections_of(pod(volumes=volumes), "node1")) == {
        followed.config_map("default", "settings"), followed.secret("default", "s1"), followed.secret("default", "s2"),
        followed.TRUST_BUNDLES, Selection(PodCertificateRequest, "", "spec.nodeName=node1"),
    }
