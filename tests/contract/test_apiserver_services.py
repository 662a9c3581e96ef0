"""Cluster IPs and node ports: one Service each, and nothing leaks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, new_namespace, service
from tests.support.apiserver import RunningApiserver, running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver"), service_node_port_range=(30000, 30003)) as running:
        yield running


ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"


async def addresses(api: Api) -> set[str]:
    _, body = await api.get(ADDRESSES)
    return {item["metadata"]["name"] for item in body["items"]}


@pytest.mark.req("SVC-03")
async def test_an_address_is_chosen_and_comes_back(api: Api) -> None:
    path = await new_namespace(api, "chosen")

    _, created = await api.post(f"{path}/services", service("a"))
    address = created["spec"]["clusterIP"]
    while_held = await addresses(api)
    await api.delete(f"{path}/services/a")

    assert created["spec"]["clusterIPs"] == [address]
    assert address in while_held
    assert address not in await addresses(api)


@pytest.mark.req("SVC-03")
@pytest.mark.parametrize(("address", "why"), [
    ("10.96.0.1", "failed to allocate IP 10.96.0.1: provided IP is already allocated"),
    ("192.0.2.1", "the provided IP (192.0.2.1) is not in the valid range. The range of valid IPs is 10.96.0.0/12"),
])
async def test_an_address_that_cannot_be_had(api: Api, address: str, why: str) -> None:
    code, status = await api.post("/api/v1/namespaces/default/services", service("refused", clusterIP=address))

    assert (code, status["reason"]) == (422, "Invalid")
    assert status["message"].startswith(f'Service "refused" is invalid: spec.clusterIPs: Invalid value: ["{address}"]: ')
    assert why in status["message"]


@pytest.mark.req("SVC-03")
async def test_an_address_never_changes(api: Api) -> None:
    path = await new_namespace(api, "fixed")
    await api.post(f"{path}/services", service("a", clusterIP="10.96.7.7"))

    code, status = await api.patch(f"{path}/services/a", {"spec": {"clusterIP": "10.96.7.8", "clusterIPs": ["10.96.7.8"]}})

    assert code == 422
    assert "may not change once set" in status["message"]
    assert "10.96.7.8" not in await addresses(api)


async def test_what_a_failed_create_took_is_given_back(api: Api) -> None:
    path = await new_namespace(api, "failed")
    before = await addresses(api)

    code, _ = await api.post(f"{path}/services", service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30001}, {"port": 81}]))
    twice, _ = await api.post(f"{path}/services", service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30001}]))
    again, _ = await api.post(f"{path}/services", service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30002}]))
    left = await addresses(api) - before
    await api.delete(f"{path}/services/a")

    assert code == 422       # two ports must have names
    assert (twice, again) == (201, 409)
    assert len(left) == 1
    assert await addresses(api) == before


@pytest.mark.req("SVC-05")
@pytest.mark.parametrize(("port", "why"), [
    (30000, "spec.ports[0].nodePort: Invalid value: 30000: provided port is already allocated"),
    (80, "provided port is not in the valid range. The range of valid ports is 30000-30003"),
])
async def test_a_node_port_that_cannot_be_had(api: Api, port: int, why: str) -> None:
    path = await new_namespace(api, f"port-{port}")
    await api.post(f"{path}/services", service("first", type="NodePort", ports=[{"port": 80, "nodePort": 30000}]))

    code, status = await api.post(f"{path}/services", service("second", type="NodePort", ports=[{"port": 80, "nodePort": port}]))
    await api.delete(f"{path}/services/first")

    assert code == 422
    assert why in status["message"]


@pytest.mark.req("SVC-05")
async def test_node_ports_are_released_by_a_change_of_type(api: Api) -> None:
    path = await new_namespace(api, "type")
    _, first = await api.post(f"{path}/services", service("a", type="NodePort"))
    port = first["spec"]["ports"][0]["nodePort"]

    _, changed = await api.patch(f"{path}/services/a", {"spec": {"type": "ClusterIP"}})
    code, _ = await api.post(f"{path}/services", service("b", type="NodePort", ports=[{"port": 80, "nodePort": port}]))
    await api.delete(f"{path}/services", labelSelector="")

    assert 30000 <= port <= 30003
    assert "nodePort" not in changed["spec"]["ports"][0]
    assert code == 201


async def test_dns_gets_one_node_port_for_both_protocols(api: Api) -> None:
    path = await new_namespace(api, "both")
    ports = [{"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53, "protocol": "TCP"}]

    _, created = await api.post(f"{path}/services", service("dns", type="NodePort", ports=ports))
    await api.delete(f"{path}/services/dns")

    first, second = created["spec"]["ports"]
    assert first["nodePort"] == second["nodePort"]


async def test_headless_and_external_services_take_nothing(api: Api) -> None:
    path = await new_namespace(api, "nothing")
    before = await addresses(api)

    headless, _ = await api.post(f"{path}/services", service("headless", clusterIP="None"))
    external, _ = await api.post(f"{path}/services", service("external", type="ExternalName", externalName="example.com"))
    dry, tried = await api.post(f"{path}/services", service("dry"), dryRun="All")

    assert (headless, external, dry) == (201, 201, 201)
    assert tried["spec"]["clusterIP"].startswith("10.")
    assert await addresses(api) == before


@pytest.mark.req("SVC-16")
async def test_the_apiserver_is_a_service(api: Api, server: RunningApiserver) -> None:
    _, kubernetes = await api.get("/api/v1/namespaces/default/services/kubernetes")
    _, endpoints = await api.get("/api/v1/namespaces/default/endpoints/kubernetes")

    assert kubernetes["spec"]["clusterIP"] == "10.96.0.1"
    assert endpoints["subsets"] == [{
        "addresses": [{"ip": "192.0.2.10"}], "ports": [{"name": "https", "port": server.port, "protocol": "TCP"}],
    }]
