"""kube-proxy, the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from kube.client.informer import InformerFactory
from kube.process.clock import SystemClock
from kube.process.lifetime import run_process
from netns.kernel import KernelThread
from netns.nft import NftThread
from node_agent.proxy.config import ProxyConfig
from node_agent.proxy.planner import NodeFacts
from node_agent.proxy.proxier import Proxier
from node_agent.proxy.server import serve


def main(argv: Sequence[str] | None = None) -> int:
    return run_process("kube-proxy", ProxyConfig, run, argv)


async def run(config: ProxyConfig, stop: asyncio.Event) -> None:
    """Keeps the kernel's rules those of the Services until `stop`; the rules stay when it ends, and go on working."""
    clock = SystemClock()
    async with (
        Client(GrpcTransport(config.apiserver), field_manager="kube-proxy") as client,
        KernelThread() as kernel,
        aclosing(await NftThread.open()) as nft,
        InformerFactory(client) as informers,
    ):
        proxier = Proxier(
            informers, nft, kernel, clock, NodeFacts(config.node_name, (config.node_ip,)),
            cluster_cidr=config.cluster_cidr, service_cidr=config.service_cidr, check_period_s=config.check_period_s,
        )  # fmt: skip
        await informers.start()
        async with serve(config, proxier, clock), asyncio.TaskGroup() as tasks:
            proxying = tasks.create_task(proxier.run(), name="proxier")
            await stop.wait()
            proxying.cancel()
