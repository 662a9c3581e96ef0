"""Which facts follow from a Service and its EndpointSlices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from kube.api.core_v1 import LoadBalancerIngress, LoadBalancerStatus, Service
from kube.api.discovery_v1 import Endpoint as SliceEndpoint
from kube.api.discovery_v1 import EndpointSlice
from node_agent.proxy.facts import NOTHING, Endpoint, Pick, Route, ServiceFacts, Vip
from node_agent.proxy.planner import NodeFacts, plan_service
from tests.support.kernel_services import endpoint, port, service, slice_of

HERE = NodeFacts("node1", ("172.30.0.11",))


def plan(svc: Service, *slices: EndpointSlice) -> ServiceFacts:
    return plan_service(svc, slices, HERE)


def addresses(pick: Pick) -> list[str]:
    return [endpoint.address for endpoint in pick.endpoints]


def test_cluster_ip_leads_to_the_ready_endpoints_on_their_target_port() -> None:
    facts = plan(service("web", "10.96.0.80"), slice_of("web", endpoint("10.244.2.5", "node2"), endpoint("10.244.1.5", "node1")))

    route = Route(Pick((Endpoint("10.244.1.5", 8080), Endpoint("10.244.2.5", 8080))))
    assert facts == ServiceFacts({Vip("10.96.0.80", "tcp", 80): route}, ("10.96.0.80",), frozenset({"10.244.1.5"}))


@pytest.mark.parametrize("svc", [
    pytest.param(service("web", "None"), id="headless"),
    pytest.param(service("web", "", type="ExternalName", external_name="example.org"), id="external name"),
    pytest.param(service("web", ""), id="no address yet"),
])
def test_service_without_a_cluster_ip_has_no_facts(svc: Service) -> None:
    assert plan(svc, slice_of("web", endpoint("10.244.1.5"))) == NOTHING


READY = {"ready": True, "serving": True, "terminating": False}
DRAINING = {"ready": False, "serving": True, "terminating": True}
ENDED = {"ready": False, "serving": False, "terminating": True}
STARTING = {"ready": False, "serving": False, "terminating": False}


@pytest.mark.parametrize(("states", "chosen"), [
    pytest.param([READY, READY], [1, 2], id="all ready"),
    pytest.param([READY, STARTING], [1], id="not ready"),
    pytest.param([READY, DRAINING], [1], id="terminating is not needed"),
    pytest.param([DRAINING, STARTING], [1], id="terminating as the last resort"),
    pytest.param([DRAINING, ENDED], [1], id="terminating and not serving"),
    pytest.param([STARTING, ENDED], [], id="none"),
    pytest.param([{}, {}], [1, 2], id="conditions absent mean ready"),
])
def test_endpoint_conditions(states: Sequence[dict[str, Any]], chosen: Sequence[int]) -> None:
    endpoints = [endpoint(f"10.244.2.{number}", "node2", **state) for number, state in enumerate(states, 1)]
    (route,) = plan(service("web", "10.96.0.80"), slice_of("web", *endpoints)).routes.values()

    assert addresses(route.inside) == [f"10.244.2.{number}" for number in chosen]


@pytest.mark.parametrize(("endpoints", "inside", "outside", "if_none"), [
    pytest.param([("here", READY), ("there", READY)], ["here", "there"], ["here"], "drop", id="local"),
    pytest.param([("there", READY)], ["there"], [], "drop", id="only elsewhere: dropped"),
    pytest.param([], [], [], "refuse", id="nowhere: refused"),
    pytest.param([("here", DRAINING), ("there", READY)], ["there"], ["here"], "drop", id="the local ones drain"),
])
def test_external_traffic_policy_local(
    endpoints: list[tuple[str, dict[str, Any]]], inside: list[str], outside: list[str], if_none: str
) -> None:
    where = {"here": ("10.244.1.5", "node1"), "there": ("10.244.2.5", "node2")}
    web = service("web", "10.96.0.80", port(80, node_port=30080), type="NodePort", external_traffic_policy="Local")
    facts = plan(web, slice_of("web", *(endpoint(*where[place], **state) for place, state in endpoints)))

    route = facts.routes[Vip("172.30.0.11", "tcp", 30080)]
    assert addresses(route.inside) == [where[place][0] for place in inside]
    assert route.outside is not None
    assert addresses(route.outside) == [where[place][0] for place in outside]
    assert route.outside.if_none == if_none
    assert facts.routes[Vip("10.96.0.80", "tcp", 80)].outside is None


def test_internal_traffic_policy_local_binds_the_cluster_ip_alone() -> None:
    web = service("web", "10.96.0.80", port(80, node_port=30080), type="NodePort", internal_traffic_policy="Local")
    facts = plan(web, slice_of("web", endpoint("10.244.2.5", "node2")))

    assert facts.routes[Vip("10.96.0.80", "tcp", 80)] == Route(Pick((), 0, "drop"))
    assert addresses(facts.routes[Vip("172.30.0.11", "tcp", 30080)].inside) == ["10.244.2.5"]


def test_every_address_of_a_load_balancer_service() -> None:
    web = service("web", "10.96.0.80", port(80, node_port=30080), type="LoadBalancer", external_ips=("192.0.2.7", "2001:db8::1"),
                  ingress=["172.30.0.200"], load_balancer_source_ranges=("10.0.0.0/8", "10.1.0.0/16"))
    routes = plan(web, slice_of("web", endpoint("10.244.2.5"))).routes

    guarded = {f"{vip.address}:{vip.port}": route.sources for vip, route in routes.items()}
    assert guarded == {"10.96.0.80:80": None, "192.0.2.7:80": None, "172.30.0.200:80": ("10.0.0.0/8",), "172.30.0.11:30080": None}


def test_balancer_that_answers_for_itself_is_left_alone() -> None:
    web = service("web", "10.96.0.80", type="LoadBalancer")
    balancer = LoadBalancerStatus(ingress=(LoadBalancerIngress(ip="192.0.2.9", ip_mode="Proxy"), LoadBalancerIngress(hostname="lb")))
    routes = plan(replace(web, status=replace(web.status, load_balancer=balancer)), slice_of("web", endpoint("10.244.2.5"))).routes
    assert {vip.address for vip in routes} == {"10.96.0.80"}


@pytest.mark.parametrize("everybody", [(), ("0.0.0.0/0",), ("10.0.0.0/8", "0.0.0.0/0")])
def test_source_ranges_that_hold_everybody_guard_nothing(everybody: tuple[str, ...]) -> None:
    web = service("web", "10.96.0.80", type="LoadBalancer", ingress=["172.30.0.200"], load_balancer_source_ranges=everybody)
    assert plan(web).routes[Vip("172.30.0.200", "tcp", 80)].sources is None


def test_ports_meet_their_slices_by_name_and_protocol() -> None:
    dns = service("dns", "10.96.0.10", port(53, name="udp", protocol="UDP"), port(53, name="tcp"))
    routes = plan(
        dns,
        slice_of("dns", endpoint("10.244.2.5"), number=5353, port_name="udp", protocol="UDP", suffix="a"),
        slice_of("dns", endpoint("10.244.2.6"), number=5354, port_name="tcp", suffix="b"),
    ).routes

    assert routes[Vip("10.96.0.10", "udp", 53)].inside.endpoints == (Endpoint("10.244.2.5", 5353),)
    assert routes[Vip("10.96.0.10", "tcp", 53)].inside.endpoints == (Endpoint("10.244.2.6", 5354),)


def test_endpoint_in_two_slices_counts_once_and_by_its_better_state() -> None:
    moving: tuple[SliceEndpoint, ...] = (endpoint("10.244.2.5", ready=False), endpoint("10.244.2.5", ready=True))
    (route,) = plan(
        service("web", "10.96.0.80"), *(slice_of("web", one, suffix=str(number)) for number, one in enumerate(moving))
    ).routes.values()

    assert addresses(route.inside) == ["10.244.2.5"]


def test_affinity_has_kubernetes_default_time() -> None:
    (route,) = plan(service("web", "10.96.0.80", session_affinity="ClientIP")).routes.values()
    assert route.inside.affinity_s == 10800
