"""Services in the kernel: who answers, and whom the server sees, on every way a packet can take."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.kernel_lab import Place, Reply
from tests.support.kernel_services import Stage, endpoint, port, service, slice_of

pytestmark = pytest.mark.kernel


@pytest.mark.req("SVC-01", "SVC-02")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
async def test_cluster_ip_from_pods_and_nodes(stage: Stage, protocol: str) -> None:
    a, b, c, _ = stage.pods
    ports = (port(80, protocol=protocol.upper()),)
    await stage.set(service("web", "10.96.0.80", *ports), slice_of("web", b, protocol=protocol.upper()))

    same_node = await stage.lab.ask(a, "10.96.0.80", 80, protocol=protocol)
    other_node = await stage.lab.ask(c, "10.96.0.80", 80, protocol=protocol)
    hairpin = await stage.lab.ask(b, "10.96.0.80", 80, protocol=protocol)
    own_node = await stage.lab.ask(stage.nodes[0], "10.96.0.80", 80, protocol=protocol)
    far_node = await stage.lab.ask(stage.nodes[1], "10.96.0.80", 80, protocol=protocol)

    assert same_node == Reply(b.name, a.address)
    assert other_node == Reply(b.name, c.address)
    assert hairpin.server == own_node.server == far_node.server == b.name
    assert hairpin.client != b.address


@pytest.mark.req("SVC-14")
async def test_connections_are_spread_over_all_endpoints(stage: Stage) -> None:
    await stage.set(service("web", "10.96.0.80"), slice_of("web", *stage.pods))

    replies = await asyncio.gather(*(stage.lab.ask(stage.pods[0], "10.96.0.80", 80) for _ in range(200)))

    counts = [sum(reply.server == pod.name for reply in replies) for pod in stage.pods]
    assert min(counts) > 20, counts


@pytest.mark.req("SVC-04", "KPX-05")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
async def test_node_port_answers_on_every_node(stage: Stage, protocol: str) -> None:
    a, b, c, _ = stage.pods
    ports = (port(80, protocol=protocol.upper(), node_port=30080),)
    await stage.set(service("web", "10.96.0.80", *ports, type="NodePort"), slice_of("web", b, protocol=protocol.upper()))

    places: list[Place] = [stage.outside, *stage.nodes, a, c]
    for place in places:
        for node in stage.nodes:
            assert (await stage.lab.ask(place, node.address, 30080, protocol=protocol)).server == b.name


@pytest.mark.req("KPX-05")
async def test_external_policy_local_keeps_the_client_and_drops_elsewhere(stage: Stage) -> None:
    b, d = stage.pods[1], stage.pods[3]
    web = service("web", "10.96.0.80", port(80, node_port=30080), type="NodePort", external_traffic_policy="Local")
    await stage.set(web, slice_of("web", b))

    assert await stage.lab.ask(stage.outside, stage.nodes[0].address, 30080) == Reply(b.name, "172.30.0.100")
    with pytest.raises(TimeoutError):
        await stage.lab.ask(stage.outside, stage.nodes[1].address, 30080, within_s=0.3)
    assert (await stage.lab.ask(d, stage.nodes[1].address, 30080)).server == b.name      # from inside: all endpoints


async def test_internal_policy_local(stage: Stage) -> None:
    a, b, c, _ = stage.pods
    await stage.set(service("web", "10.96.0.80", internal_traffic_policy="Local"), slice_of("web", b))

    assert await stage.lab.ask(a, "10.96.0.80", 80) == Reply(b.name, a.address)
    with pytest.raises(TimeoutError):
        await stage.lab.ask(c, "10.96.0.80", 80, within_s=0.3)


@pytest.mark.req("KPX-07")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
async def test_no_endpoints_is_refused_at_once(stage: Stage, protocol: str) -> None:
    ports = (port(80, protocol=protocol.upper(), node_port=30080),)
    await stage.set(service("web", "10.96.0.80", *ports, type="NodePort"))

    ways: list[tuple[Place, str, int]] = [
        (stage.pods[0], "10.96.0.80", 80), (stage.nodes[0], "10.96.0.80", 80), (stage.outside, stage.nodes[0].address, 30080),
    ]  # fmt: skip
    for place, address, number in ways:
        # To a process of the node itself Linux says EPERM for a rejected datagram, as under upstream's proxy.
        with pytest.raises((ConnectionRefusedError, PermissionError)):
            await stage.lab.ask(place, address, number, protocol=protocol)


async def test_wrong_port_is_refused_and_unknown_address_dropped(stage: Stage) -> None:
    await stage.set(service("web", "10.96.0.80"), slice_of("web", stage.pods[1]))

    with pytest.raises(ConnectionRefusedError):
        await stage.lab.ask(stage.pods[0], "10.96.0.80", 81)
    with pytest.raises(TimeoutError):
        await stage.lab.ask(stage.pods[0], "10.96.7.7", 80, within_s=0.3)


@pytest.mark.req("SVC-10")
async def test_external_ip_and_load_balancer_ip(stage: Stage) -> None:
    a, b = stage.pods[:2]
    web = service("web", "10.96.0.80", type="LoadBalancer", external_ips=("172.30.0.12",), ingress=["172.30.0.200"])
    await stage.set(web, slice_of("web", b))

    assert (await stage.lab.ask(stage.outside, "172.30.0.12", 80)).server == b.name
    assert (await stage.lab.ask(a, "172.30.0.200", 80)).server == b.name
    assert (await stage.lab.ask(stage.nodes[1], "172.30.0.200", 80)).server == b.name


@pytest.mark.req("SVC-09")
async def test_source_ranges_guard_the_load_balancer_address(stage: Stage) -> None:
    friend, stranger = await stage.lab.outsider(97), stage.outside
    ranges = ("172.30.0.96/30", "172.30.0.96/31")
    web = service("web", "10.96.0.80", type="LoadBalancer", ingress=["172.30.0.11"], load_balancer_source_ranges=ranges)
    await stage.set(web, slice_of("web", stage.pods[1]))

    assert (await stage.lab.ask(friend, "172.30.0.11", 80)).server == stage.pods[1].name
    with pytest.raises(TimeoutError):
        await stage.lab.ask(stranger, "172.30.0.11", 80, within_s=0.3)

    wider = ("172.30.0.96/27",)
    await stage.set(service("web", "10.96.0.80", type="LoadBalancer", ingress=["172.30.0.11"], load_balancer_source_ranges=wider))
    assert (await stage.lab.ask(stranger, "172.30.0.11", 80)).server == stage.pods[1].name


async def test_endpoint_that_is_a_nodes_own_address(stage: Stage) -> None:
    await stage.lab.serve(stage.nodes[0], 6443)
    apiserver = slice_of("kubernetes", endpoint(stage.nodes[0].address), number=6443)
    await stage.set(service("kubernetes", "10.96.0.1", port(443)), apiserver)

    places: list[Place] = [*stage.pods, *stage.nodes]
    for place in places:
        assert (await stage.lab.ask(place, "10.96.0.1", 443)).server == stage.nodes[0].name
