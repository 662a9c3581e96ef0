"""Services that change while they are used, and kube-proxies that end and come back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from kube.api.core_v1 import Node, NodeSpec
from kube.api.meta_v1 import ObjectMeta
from tests.support import witness
from tests.support.kernel_api import Collections
from tests.support.kernel_lab import Lab
from tests.support.kernel_services import Stage, eventually, port, proxy_on, service, settled, slice_of

pytestmark = pytest.mark.kernel


async def test_no_connection_fails_while_endpoints_are_replaced(stage: Stage) -> None:
    a, b, c, d = stage.pods
    await stage.set(service("web", "10.96.0.80"), slice_of("web", b, c, d))
    stop = asyncio.Event()

    async def use() -> int:
        count = 0
        while not stop.is_set():
            await stage.lab.ask(a, "10.96.0.80", 80)
            count += 1
        return count

    users = [asyncio.create_task(use()) for _ in range(4)]
    for endpoints in [(c, d), (d,), (d, b), (b,), (b, c), (a, b, c, d), (c,)] * 6:
        await stage.set(slice_of("web", *endpoints))
    stop.set()

    assert sum(await asyncio.gather(*users)) > 50
    assert (await stage.lab.ask(a, "10.96.0.80", 80)).server == c.name


async def test_only_elements_change_when_an_endpoint_does(stage: Stage) -> None:
    _, b, c, d = stage.pods
    node = stage.nodes[0].name
    await stage.set(service("web", "10.96.0.80"), slice_of("web", b, c))
    before = witness.elements(node, "map", "endpoints")

    await stage.set(slice_of("web", b, d))

    after = witness.elements(node, "map", "endpoints")
    kept = [element for element in after if element in before]
    assert (len(before), len(after), len(kept)) == (2, 2, 1)
    assert "10.96.0.80 . tcp . 80 : goto pick-2" in witness.nft_text(node, "list", "map", "ip", "kubonsai-proxy", "services")


async def test_a_deleted_service_leaves_no_element(stage: Stage) -> None:
    node = stage.nodes[0].name
    objects = (
        service("web", "10.96.0.80", port(80, node_port=30080), affinity_s=60, type="NodePort", external_traffic_policy="Local",
                ingress=["172.30.0.200"]),
        slice_of("web", *stage.pods[:2]),
    )
    await stage.set(*objects)

    for obj in objects:
        stage.api.remove(obj)
    await asyncio.sleep(0)
    await settled(*stage.proxies)

    for kind, name in [("map", "services"), ("map", "outside"), ("map", "endpoints"), ("map", "sticky_slots"),
                       ("map", "sticky_endpoints"), ("set", "guarded"), ("set", "sources"), ("set", "cluster_ips"), ("set", "hairpin")]:
        assert witness.elements(node, kind, name) == []


@pytest.mark.req("KPX-06")
async def test_udp_client_with_one_source_port_moves_to_the_new_endpoint(stage: Stage) -> None:
    a, b, c, _ = stage.pods
    await stage.set(service("dns", "10.96.0.10", port(53, protocol="UDP")), slice_of("dns", b, protocol="UDP"))
    with await stage.lab.socket(a, "udp") as client:
        assert (await stage.lab.ask_with(client, "10.96.0.10", 53)).server == b.name

        await stage.set(slice_of("dns", c, protocol="UDP"))

        async def moved() -> bool:
            return (await stage.lab.ask_with(client, "10.96.0.10", 53)).server == c.name

        await eventually(moved, within_s=60)


async def test_udp_node_port_that_was_dead_for_a_client_comes_to_life(stage: Stage) -> None:
    await stage.lab.serve(stage.nodes[0], 30053, protocol="udp")       # the flow is answered, hence remembered, before the Service is there
    with await stage.lab.socket(stage.outside, "udp") as client:
        assert (await stage.lab.ask_with(client, "172.30.0.11", 30053)).server == stage.nodes[0].name

        dns = service("dns", "10.96.0.10", port(53, protocol="UDP", node_port=30053), type="NodePort")
        await stage.set(dns, slice_of("dns", stage.pods[1], protocol="UDP"))

        async def redirected() -> bool:
            return (await stage.lab.ask_with(client, "172.30.0.11", 30053)).server == stage.pods[1].name

        await eventually(redirected, within_s=60)


async def test_affinity_pins_a_client_and_moves_it_only_when_its_endpoint_goes(stage: Stage) -> None:
    a, pods = stage.pods[0], stage.pods
    await stage.set(service("web", "10.96.0.85", affinity_s=60), slice_of("web", *pods))

    first = await stage.lab.ask(a, "10.96.0.85", 80)
    again = {(await stage.lab.ask(a, "10.96.0.85", 80)).server for _ in range(20)}
    assert again == {first.server}

    others = [pod for pod in pods if pod.name != first.server]
    await stage.set(slice_of("web", *others))
    moved = {(await stage.lab.ask(a, "10.96.0.85", 80)).server for _ in range(20)}
    assert len(moved) == 1
    assert moved != again

    await stage.set(slice_of("web", *pods))
    assert {(await stage.lab.ask(a, "10.96.0.85", 80)).server for _ in range(20)} == moved


async def test_affinity_is_forgotten_after_its_time(stage: Stage) -> None:
    await stage.set(service("web", "10.96.0.85", affinity_s=10), slice_of("web", *stage.pods))
    await stage.lab.ask(stage.pods[0], "10.96.0.85", 80)
    node = stage.nodes[0].name
    assert len(witness.elements(node, "map", "affinity")) == 1

    await eventually(lambda: not witness.elements(node, "map", "affinity"), within_s=60)


async def test_a_new_proxy_keeps_affinity_and_takes_over_without_a_gap(tmp_path: Path) -> None:
    api = Collections()
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        pods = [await lab.pod(node) for _ in range(4)]
        for pod in pods:
            await lab.serve(pod, 8080)
        api.put(service("web", "10.96.0.85", affinity_s=600), slice_of("web", *pods))
        async with proxy_on(node, api):
            pinned = [(await lab.ask(pod, "10.96.0.85", 80)).server for pod in pods]
        assert (await lab.ask(pods[0], "10.96.0.85", 80)).server == pinned[0]     # the rules outlive the process

        api.put(slice_of("web", *reversed(pods)))
        async with proxy_on(node, api):
            assert [(await lab.ask(pod, "10.96.0.85", 80)).server for pod in pods] == pinned


async def test_a_table_that_someone_deletes_is_written_anew(tmp_path: Path) -> None:
    api = Collections()
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        pod = await lab.pod(node)
        await lab.serve(pod, 8080)
        api.put(service("web", "10.96.0.80"), slice_of("web", pod))
        async with proxy_on(node, api, check_period_s=0.05):
            witness.nft_text(node.name, "flush", "ruleset")

            await eventually(lambda: "kubonsai-proxy" in witness.nft_text(node.name, "list", "tables"))
            assert (await lab.ask(node, "10.96.0.80", 80)).server == pod.name


async def test_node_whose_range_comes_late(tmp_path: Path) -> None:
    api = Collections()
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        ranged, api_node = node.pod_cidr, Node(metadata=ObjectMeta(name=node.name))
        async with proxy_on(replace(node, pod_cidr=""), api) as proxier:
            assert witness.elements(node.name, "set", "own_pods") == []

            api.put(replace_struct(api_node, spec=NodeSpec(pod_cidr=ranged)))
            await asyncio.sleep(0)
            await settled(proxier)

            assert witness.elements(node.name, "set", "own_pods") == [{"prefix": {"addr": "10.244.1.0", "len": 24}}]


async def test_a_change_that_the_kernel_refuses_is_repaired(stage: Stage) -> None:
    node, b = stage.nodes[0].name, stage.pods[1]
    await stage.set(service("web", "10.96.0.80"), slice_of("web", b))
    witness.nft_text(node, "delete", "element", "ip", "kubonsai-proxy", "endpoints", "{ 10.96.0.80 . tcp . 80 . 0 }")

    await stage.set(slice_of("web", stage.pods[2]))            # deleting what is not there fails as a whole

    assert (await stage.lab.ask(stage.pods[0], "10.96.0.80", 80)).server == stage.pods[2].name


async def test_two_services_that_claim_one_external_address(stage: Stage) -> None:
    first = service("first", "10.96.0.80", external_ips=("172.30.0.200",), created="2026-01-01T00:00:00Z")
    second = service("second", "10.96.0.81", external_ips=("172.30.0.200",), created="2026-01-02T00:00:00Z")
    await stage.set(first, slice_of("first", stage.pods[1]), second, slice_of("second", stage.pods[2]))
    assert (await stage.lab.ask(stage.pods[0], "172.30.0.200", 80)).server == stage.pods[1].name

    stage.api.remove(first)
    await asyncio.sleep(0)
    await settled(*stage.proxies)

    assert (await stage.lab.ask(stage.pods[0], "172.30.0.200", 80)).server == stage.pods[2].name


@pytest.mark.req("KPX-05")
async def test_node_ports_answer_on_a_machines_new_address_and_on_the_old_no_more(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node, outside, api = await lab.machine(1), await lab.outsider(), Collections()
        pod = await lab.pod(node)
        await lab.serve(pod, 8080)
        api.put(service("web", "10.96.0.80", port(80, node_port=30080), type="NodePort"), slice_of("web", pod))
        async with proxy_on(node, api):
            assert (await lab.ask(outside, "172.30.0.11", 30080)).server == pod.name

        witness.ip_json("-n", node.name, "addr", "add", "172.30.0.77/24", "dev", "eth0")      # both, to see what becomes of the old one
        node.address = "172.30.0.77"
        async with proxy_on(node, api):
            assert (await lab.ask(outside, "172.30.0.77", 30080)).server == pod.name
            with pytest.raises(ConnectionRefusedError):
                await lab.ask(outside, "172.30.0.11", 30080)


async def test_the_apiservers_service_follows_its_endpoint(stage: Stage) -> None:
    a, b, c, d = stage.pods
    await stage.set(service("kubernetes", "10.96.0.1", port(443)), slice_of("kubernetes", b))
    assert (await stage.lab.ask(a, "10.96.0.1", 443)).server == b.name

    await stage.set(slice_of("kubernetes", d))

    for client in (a, c):
        assert (await stage.lab.ask(client, "10.96.0.1", 443)).server == d.name
