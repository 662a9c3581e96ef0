"""EndpointSlices and Endpoints of a Service."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from control_plane.controllers.endpoint_slice.backends import Port, endpoint_of, ports_of, should_be_listed
from control_plane.controllers.endpoint_slice.controller import EndpointSliceController
from control_plane.controllers.endpoint_slice.endpoints import EndpointsController, plan_subsets
from control_plane.controllers.endpoint_slice.plan import HEADLESS, MANAGED_BY, SERVICE_NAME, plan_slices
from kube.api.core_v1 import (
    Container,
    ContainerPort,
    Endpoints,
    Node,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from kube.api.discovery_v1 import Endpoint, EndpointSlice
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from tests.support.controllers import eventually, memory_client, running

WEB = ServicePort(name="http", port=80, target_port="web", protocol="TCP")


def service(*ports: ServicePort, **spec: Any) -> Service:
    return Service(
        metadata=ObjectMeta(namespace="default", name="hello", uid="service-uid", labels={"team": "a"}),
        spec=ServiceSpec(selector={"app": "hello"}, ports=ports or (WEB,), **{"cluster_ip": "10.96.0.7", **spec}))


def pod(
    name: str, *, ip: str = "", ready: bool = True, phase: str = "Running", deleted: bool = False, port: int = 8080, **spec: Any
) -> Pod:
    container = Container(name="c", ports=(ContainerPort(name="web", container_port=port, protocol="TCP"),))
    return Pod(
        metadata=ObjectMeta(
            namespace="default", name=name, uid=name, labels={"app": "hello"},
            deletion_timestamp="2026-11-20T12:00:00Z" if deleted else ""),
        spec=PodSpec(node_name="n1", containers=(container,), **spec),
        status=PodStatus(
            phase=phase, pod_ip=ip or f"10.244.1.{int(name[1:]) + 1}",
            conditions=(PodCondition(type="Ready", status="True" if ready else "False"),)))


@pytest.mark.parametrize(("backend", "expected"), [
    pytest.param(pod("p1"), (True, True, False), id="ready"),
    pytest.param(pod("p1", ready=False), (False, False, False), id="not ready"),
    pytest.param(pod("p1", deleted=True), (False, True, True), id="terminating, still serving"),
])
def test_conditions_of_an_endpoint(backend: Pod, expected: tuple[bool, bool, bool]) -> None:
    conditions = endpoint_of(service(), backend, None).conditions
    assert conditions is not None
    assert (conditions.ready, conditions.serving, conditions.terminating) == expected


def test_publish_not_ready_addresses_makes_all_ready() -> None:
    conditions = endpoint_of(service(publish_not_ready_addresses=True), pod("p1", ready=False), None).conditions
    assert conditions is not None
    assert conditions.ready is True
    assert conditions.serving is False


def test_an_endpoint_knows_its_pod_node_and_zone() -> None:
    node = Node(metadata=ObjectMeta(name="n1", labels={"topology.kubernetes.io/zone": "za"}))
    endpoint = endpoint_of(service(), pod("p1", hostname="h", subdomain="hello"), node)
    assert (endpoint.node_name, endpoint.zone, endpoint.hostname) == ("n1", "za", "h")
    assert endpoint.target_ref is not None
    assert (endpoint.target_ref.kind, endpoint.target_ref.name) == ("Pod", "p1")


@pytest.mark.parametrize(("phase", "ip", "listed"), [
    ("Running", "10.0.0.1", True), ("Succeeded", "10.0.0.1", False), ("Failed", "10.0.0.1", False),
])
def test_ended_pods_are_not_listed(phase: str, ip: str, listed: bool) -> None:
    assert should_be_listed(pod("p1", phase=phase, ip=ip), include_terminating=True) is listed


def test_a_named_target_port_is_each_pods_own() -> None:
    unnamed = ServicePort(name="raw", port=81)
    missing = ServicePort(name="metrics", port=90, target_port="metrics")
    target = service(WEB, unnamed, missing)
    assert ports_of(target, pod("p1", port=9000)) == (Port("http", "TCP", 9000, ""), Port("raw", "TCP", 81, ""))


def wanted(target: Service, count: int) -> dict[tuple[Port, ...], list[Endpoint]]:
    pods = [pod(f"p{number}", ip=f"10.244.{number // 250}.{number % 250 + 1}") for number in range(count)]
    return {ports_of(target, pods[0]): [endpoint_of(target, held, None) for held in pods]} if pods else {}


def test_a_slice_holds_at_most_a_hundred() -> None:
    plan = plan_slices(service(), wanted(service(), 250), [])
    assert [len(held.endpoints) for held in plan.create] == [100, 100, 50]
    first = plan.create[0]
    assert first.metadata.generate_name == "hello-"
    assert first.metadata.labels == {
        "team": "a", SERVICE_NAME: "hello", MANAGED_BY: "endpointslice-controller.k8s.io"}


def test_a_service_without_pods_has_one_empty_slice_and_keeps_it() -> None:
    plan = plan_slices(service(), {}, [])
    (empty,) = plan.create
    assert not empty.endpoints
    assert not empty.ports

    again = plan_slices(service(), {}, [empty])

    assert (again.create, again.update, again.delete) == ([], [], [])


def test_one_more_endpoint_is_one_update() -> None:
    first = plan_slices(service(), wanted(service(), 150), []).create
    plan = plan_slices(service(), wanted(service(), 151), first)
    assert (len(plan.create), len(plan.update), len(plan.delete)) == (0, 1, 0)
    assert len(plan.update[0].endpoints) == 51


def test_endpoints_that_are_gone_leave_their_slice_and_an_empty_slice_goes() -> None:
    first = plan_slices(service(), wanted(service(), 150), []).create
    plan = plan_slices(service(), wanted(service(), 100), first)
    assert (plan.create, plan.update) == ([], [])
    assert plan.delete == [first[1]]


def test_a_headless_service_is_labelled() -> None:
    (held,) = plan_slices(service(cluster_ip="None"), {}, []).create
    assert held.metadata.labels[HEADLESS] == ""


def test_endpoints_separate_ready_from_not_ready() -> None:
    (subset,) = plan_subsets(service(), [pod("p1"), pod("p2", ready=False), pod("p3", deleted=True)])
    assert [address.ip for address in subset.addresses] == ["10.244.1.2"]
    assert [address.ip for address in subset.not_ready_addresses] == ["10.244.1.3"]
    assert [(port.name, port.port) for port in subset.ports] == [("http", 8080)]


@pytest.mark.req("SVC-04")
async def test_both_controllers_follow_the_pods() -> None:
    client, _ = memory_client()
    await client.create(msgspec.structs.replace(service(), metadata=ObjectMeta(namespace="default", name="hello")))
    async with running(client, EndpointSliceController, EndpointsController):

        async def addresses() -> tuple[list[str], list[str]]:
            slices = await client.list(EndpointSlice, "default")
            endpoints = await client.list(Endpoints, "default")
            return (
                sorted(address for held in slices for endpoint in held.endpoints for address in endpoint.addresses),
                sorted(address.ip for held in endpoints for subset in held.subsets for address in subset.addresses))

        async def has(*ips: str) -> bool:
            return await addresses() == ([*ips], [*ips])

        await client.create(pod("p1"))
        await client.create(pod("p2"))
        await eventually(lambda: has("10.244.1.2", "10.244.1.3"), what="both Pods are listed")
        await client.delete(Pod, NamespacedName("default", "p1"))
        await eventually(lambda: has("10.244.1.3"), what="one Pod is listed")
        await client.delete(Service, NamespacedName("default", "hello"))

        async def gone() -> bool:
            return not (await client.list(Endpoints, "default")).items

        await eventually(gone, what="the Endpoints go with the Service")
