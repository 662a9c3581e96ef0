"""The composition root of cloud-controller-manager."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from control_plane.cloud.addresses import NodeAddresses
from control_plane.cloud.config import CloudConfig
from control_plane.cloud.initialise import NodeInitialiser
from control_plane.cloud.lifecycle import NodeLifecycle
from control_plane.cloud.machines import cloud_of
from control_plane.cloud.serving_certificates import ServingCertificateApprover
from control_plane.controllers.managed import ControllerContext
from kube.api.core_v1 import Node
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.delegated_auth import DelegatedAuth
from kube.client.events import EventRecorder
from kube.client.grpc_transport import GrpcTransport
from kube.client.informer import InformerFactory
from kube.client.leader_election import LeaderElector, lead_until
from kube.process.clock import SystemClock
from kube.process.health import serve_health
from kube.process.lifetime import run_process
from kube.process.tls import server_context

NAME: Final = "cloud-controller-manager"
LEASE: Final = NamespacedName("kube-system", NAME)


async def run(config: CloudConfig, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(GrpcTransport(config.apiserver), field_manager=NAME))
        cloud = await stack.enter_async_context(cloud_of(config))
        events = await stack.enter_async_context(EventRecorder(client, NAME))
        tls = server_context(config.serving_tls) if config.serving_tls else None
        await stack.enter_async_context(serve_health(config.health_port, tls=tls, guard=DelegatedAuth(client).check))
        clock = SystemClock()

        async def lead() -> None:
            async with InformerFactory(client) as informers:
                initialiser = NodeInitialiser(ControllerContext(client, informers, events, clock), cloud)
                nodes = informers.informer(Node)
                addresses = NodeAddresses(client, nodes, cloud, clock, config.node_monitor_period_s)
                lifecycle = NodeLifecycle(
                    client, nodes, cloud, events.named("cloud-node-lifecycle-controller"), clock,
                    config.node_monitor_period_s)
                approver = ServingCertificateApprover(ControllerContext(client, informers, events, clock), cloud)
                await informers.start()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(initialiser.run(), name=initialiser.name)
                    tasks.create_task(approver.run(), name=approver.name)
                    tasks.create_task(addresses.run(), name="cloud-node-addresses")
                    tasks.create_task(lifecycle.run(), name="cloud-node-lifecycle")

        await lead_until(stop, lead, LeaderElector(client, LEASE, config.identity) if config.leader_elect else None)


def main(argv: Sequence[str] | None = None) -> int:
    return run_process(NAME, CloudConfig, run, argv)
