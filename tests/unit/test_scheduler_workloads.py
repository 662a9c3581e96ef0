"""Which Pods belong together when nobody said how to spread them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from control_plane.scheduler.workloads import Workloads
from kube.api.apps_v1 import ReplicaSet, ReplicaSetSpec, StatefulSet, StatefulSetSpec
from kube.api.core_v1 import ReplicationController, ReplicationControllerSpec, Service, ServiceSpec
from kube.api.meta_v1 import LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference
from kube.client.client import Client
from kube.client.informer import InformerFactory
from tests.support.memory_transport import MemoryTransport
from tests.support.scheduling import pod

WEB = {"app": "web", "hash": "1"}


def named(name: str, namespace: str = "default") -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace)


@pytest.fixture
async def workloads() -> AsyncIterator[Workloads]:
    async with Client(MemoryTransport()) as client, InformerFactory(client) as informers:
        expression = LabelSelectorRequirement(key="hash", operator="In", values=("1", "2"))
        for obj in (
            Service(metadata=named("web"), spec=ServiceSpec(selector={"app": "web"})),
            Service(metadata=named("db"), spec=ServiceSpec(selector={"app": "db"})),
            Service(metadata=named("outside"), spec=ServiceSpec()),
            Service(metadata=named("far", "other"), spec=ServiceSpec(selector={"hash": "1"})),
            ReplicaSet(metadata=named("rs"), spec=ReplicaSetSpec(selector=LabelSelector(match_labels=WEB))),
            StatefulSet(metadata=named("ss"), spec=StatefulSetSpec(selector=LabelSelector(match_expressions=(expression,)))),
            ReplicationController(metadata=named("rc"), spec=ReplicationControllerSpec(selector={"hash": "1"})),
        ):
            await client.create(obj)
        held = Workloads(informers)
        await informers.start()
        await informers.wait_synced()
        yield held


@pytest.mark.parametrize(("labels", "owner", "selector"), [
    pytest.param({"app": "other"}, "", "", id="nobody's"),
    pytest.param(WEB, "", "app=web", id="a Service's"),
    pytest.param({"hash": "1"}, "", "", id="not a Service's of another namespace"),
    pytest.param(WEB, "apps/v1 ReplicaSet rs", "app=web,hash=1", id="a ReplicaSet's and a Service's"),
    pytest.param(WEB, "apps/v1 StatefulSet ss", "app=web,hash in (1,2)", id="a StatefulSet's"),
    pytest.param(WEB, "v1 ReplicationController rc", "app=web,hash=1", id="a ReplicationController's"),
    pytest.param(WEB, "apps/v1 ReplicaSet gone", "app=web", id="of an owner that is gone"),
    pytest.param(WEB, "batch/v1 Job rs", "app=web", id="of an owner of another kind"),
    pytest.param(WEB, "example.com/v1 ReplicaSet rs", "app=web", id="of an owner of another group"),
])
async def test_default_selector(workloads: Workloads, labels: dict[str, str], owner: str, selector: str) -> None:
    owners: tuple[OwnerReference, ...] = ()
    if owner:
        api_version, kind, name = owner.split()
        owners = (OwnerReference(api_version=api_version, kind=kind, name=name, uid="u", controller=True),)

    found = workloads.default_selector(pod(labels=labels, metadata={"owner_references": owners}).pod)

    assert str(found) == selector
