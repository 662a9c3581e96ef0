"""A kubelet that starts again on a machine with another address: what its Node and its Pods say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from kube.api.core_v1 import Event, Node, NodeAddress, Pod
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.patch.strategic import apply_strategic_patch
from kube.apimachinery.schema import schemas
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.transport import PatchKind
from kube.process.clock import SystemClock
from kube.process.config import ApiserverAccess, TlsFiles
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.node_reporter import NodeReporter
from node_agent.kubelet.node_status import PROVIDED_IP, Machine
from node_agent.kubelet.pod_status import Observed, pod_status
from node_agent.kubelet.pod_view import PodView
from node_agent.kubelet.status_manager import status_patch
from tests.support.controllers import eventually, memory_client
from tests.support.pods import UID, Verdicts, pod, record

KEY = NamespacedName("", "node1")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def config(folder: Path, node_ip: str, *, external_cloud: bool) -> KubeletConfig:
    tls = TlsFiles(cert_file="", key_file="", ca_file="")
    return KubeletConfig(
        apiserver=ApiserverAccess(targets=("127.0.0.1:6444",), tls=tls), node_name="node1", node_ip=node_ip, root_dir=str(folder),
        run_dir="/run/x", images_dir=str(folder), cgroup_parent="/x", cluster_dns=(), serving_tls=tls, external_cloud=external_cloud,
    )


@asynccontextmanager
async def reporter(client: Client, settings: KubeletConfig, *, pod_cidr: str = "10.244.1.0/24") -> AsyncIterator[NodeReporter]:
    machine = Machine({"cpu": "2"}, {"cpu": "2"}, 1 << 30)
    async with EventRecorder(client, "kubelet") as events:
        yield NodeReporter(settings, client, SystemClock(), machine, lambda: pod_cidr, lambda: (), events)


def internal(node: Node) -> list[str]:
    return [address.address for address in node.status.addresses if address.type == "InternalIP"]


@pytest.mark.parametrize("external_cloud", [True, False])
async def test_the_node_says_at_once_where_it_is_now(tmp_path: Path, external_cloud: bool) -> None:
    client, _ = memory_client()
    async with reporter(client, config(tmp_path, "172.30.0.11", external_cloud=external_cloud)) as before:
        await before.register()

    async with reporter(client, config(tmp_path, "172.30.0.77", external_cloud=external_cloud)) as after:
        await after.register()

    node = await client.get(Node, KEY)
    assert internal(node) == ["172.30.0.77"]
    assert [address.address for address in node.status.addresses if address.type == "Hostname"] == ["node1"]
    assert node.metadata.annotations[PROVIDED_IP] == "172.30.0.77"


async def test_what_the_cloud_said_of_this_address_stays(tmp_path: Path) -> None:
    client, _ = memory_client()
    settings = config(tmp_path, "172.30.0.11", external_cloud=True)
    said = (
        NodeAddress(type="InternalIP", address="172.30.0.11"), NodeAddress(type="ExternalIP", address="203.0.113.9"),
        NodeAddress(type="Hostname", address="node1"),
    )
    async with reporter(client, settings) as before:
        await before.register()
    await client.patch(Node, KEY, {"status": {"addresses": msgspec.to_builtins(said)}}, kind=PatchKind.MERGE, subresource="status")

    async with reporter(client, settings) as after:
        await after.register()

    assert (await client.get(Node, KEY)).status.addresses == said


async def test_a_cloud_that_lags_behind_does_not_win(tmp_path: Path) -> None:
    """A status report after the first one, too, says where the node is."""
    client, _ = memory_client()
    async with reporter(client, config(tmp_path, "172.30.0.77", external_cloud=True)) as kubelet:
        await kubelet.register()
        reporting = asyncio.create_task(kubelet.run_status(), name="status")
        old = {"status": {"addresses": [{"type": "InternalIP", "address": "172.30.0.11"}]}}
        kubelet.on_node(await client.patch(Node, KEY, old, kind=PatchKind.MERGE, subresource="status"))
        kubelet.report_soon()

        async def right() -> bool:
            return internal(await client.get(Node, KEY)) == ["172.30.0.77"]

        await eventually(right, what="the address is the node's")
        reporting.cancel()
        with suppress(asyncio.CancelledError):
            await reporting


async def test_a_cordon_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    client, _ = memory_client()
    async with reporter(client, config(tmp_path, "172.30.0.11", external_cloud=True)) as kubelet:
        kubelet.on_node(await kubelet.register())
        for cordoned in (True, True, False):
            kubelet.on_node(await client.patch(Node, KEY, {"spec": {"unschedulable": cordoned}}, kind=PatchKind.MERGE))

    told = [event.message for event in (await client.list(Event)).items if event.reason.endswith("Schedulable")]
    assert sorted(told) == ["Node node1 status is now: NodeNotSchedulable", "Node node1 status is now: NodeSchedulable"]


async def test_the_machines_identity_is_its_name_not_its_address(tmp_path: Path) -> None:
    client, _ = memory_client()
    seen = []
    for address in ("172.30.0.11", "172.30.0.77"):
        async with reporter(client, config(tmp_path, address, external_cloud=True)) as kubelet:
            await kubelet.register()
            reporting = asyncio.create_task(kubelet.run_status(), name="status")

            async def reported() -> bool:
                return any(condition.type == "Ready" for condition in (await client.get(Node, KEY)).status.conditions)

            await eventually(reported, what="the node has a status")
            reporting.cancel()
            with suppress(asyncio.CancelledError):
                await reporting
        info = (await client.get(Node, KEY)).status.node_info
        assert info is not None
        seen.append(info.system_uuid)

    assert seen[0] == seen[1] != ""


async def test_a_pods_addresses_are_replaced_not_joined() -> None:
    view = PodView((record(),))
    here = {"view": view, "probes": Verdicts(), "sandbox_ready": True, "now": NOW}
    before = pod_status(pod(host_network=True), Observed(host_ip="172.30.0.11", pod_ip="172.30.0.11", **here))  # type: ignore[arg-type]
    after = pod_status(pod(host_network=True), Observed(host_ip="172.30.0.77", pod_ip="172.30.0.77", **here))  # type: ignore[arg-type]
    stored = {"metadata": {"uid": UID}, "status": msgspec.to_builtins(before)}

    patched = apply_strategic_patch(stored, status_patch(UID, before, after), schemas().for_kind(Pod.GVK))

    shown = patched["status"]
    assert (shown["hostIP"], shown["hostIPs"]) == ("172.30.0.77", [{"ip": "172.30.0.77"}])
    assert (shown["podIP"], shown["podIPs"]) == ("172.30.0.77", [{"ip": "172.30.0.77"}])
