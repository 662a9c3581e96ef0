"""Services and EndpointSlices for tests, showing only what a case is about; and a kube-proxy on a lab's machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube.api.core_v1 import (
    ClientIPConfig,
    LoadBalancerIngress,
    LoadBalancerStatus,
    Node,
    NodeSpec,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
    SessionAffinityConfig,
)
from kube.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kube.api.meta_v1 import ObjectMeta
from kube.client.client import Client
from kube.client.informer import InformerFactory
from kube.process.clock import SystemClock
from netns import namespaces
from netns.nft import NftThread
from node_agent.proxy.planner import NodeFacts
from node_agent.proxy.proxier import Proxier
from tests.support.kernel_api import Collections
from tests.support.kernel_lab import Lab, Machine, Pod

CLUSTER_CIDR, SERVICE_CIDR = "10.244.0.0/16", "10.96.0.0/12"


def service(
    name: str, cluster_ip: str, *ports: ServicePort, affinity_s: int = 0, ingress: Iterable[str] = (), created: str = "", **spec: Any
) -> Service:
    """`ports` default to 80 to TCP 8080."""
    if affinity_s:
        config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=affinity_s))
        spec |= {"session_affinity": "ClientIP", "session_affinity_config": config}
    return Service(
        metadata=ObjectMeta(name=name, namespace="default", creation_timestamp=created),
        spec=ServiceSpec(cluster_ip=cluster_ip, cluster_ips=(cluster_ip,), ports=ports or (port(80),), **spec),
        status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=tuple(LoadBalancerIngress(ip=ip) for ip in ingress))),
    )


def port(number: int, *, name: str = "", protocol: str = "TCP", node_port: int | None = None) -> ServicePort:
    return ServicePort(name=name, protocol=protocol, port=number, node_port=node_port)


def endpoint(
    address: str, node: str = "", *, ready: bool | None = None, serving: bool | None = None, terminating: bool | None = None
) -> Endpoint:
    conditions = EndpointConditions(ready=ready, serving=serving, terminating=terminating)
    return Endpoint(addresses=(address,), conditions=conditions, node_name=node)


def slice_of(
    name: str, *endpoints: Endpoint | Pod, number: int = 8080, port_name: str = "", protocol: str = "TCP", suffix: str = "1"
) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=f"{name}-{suffix}", namespace="default", labels={"kubernetes.io/service-name": name}),
        address_type="IPv4",
        endpoints=tuple(endpoint(item.address, item.machine.name) if isinstance(item, Pod) else item for item in endpoints),
        ports=(EndpointPort(name=port_name, port=number, protocol=protocol),),
    )


@asynccontextmanager
async def proxy_on(machine: Machine, api: Collections, *, check_period_s: float = 30.0) -> AsyncIterator[Proxier]:
    """A kube-proxy that works in the machine's namespace and has written its table."""
    api.put(Node(metadata=ObjectMeta(name=machine.name), spec=NodeSpec(pod_cidr=machine.pod_cidr)))
    async with (
        Client(api) as client,
        aclosing(await NftThread.open(namespaces.path_of(machine.name))) as nft,
        InformerFactory(client) as informers,
    ):
        proxier = Proxier(
            informers, nft, machine.kernel, SystemClock(), NodeFacts(machine.name, (machine.address,)),
            cluster_cidr=CLUSTER_CIDR, service_cidr=SERVICE_CIDR, check_period_s=check_period_s,
        )  # fmt: skip
        await informers.start()
        await informers.wait_synced()
        running = asyncio.create_task(proxier.run(), name="proxier")
        try:
            await settled(proxier)
            yield proxier
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def settled(*proxiers: Proxier) -> None:
    """All changes told so far are in the kernel."""
    for proxier in proxiers:
        await eventually(lambda proxier=proxier: proxier.settled)  # type: ignore[misc]


async def eventually(holds: Callable[[], bool | Awaitable[bool]], *, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while True:
            result = holds()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.005)


@dataclass
class Stage:
    """Two nodes with two Pods each and a client outside; a kube-proxy on each node."""

    lab: Lab
    api: Collections
    nodes: list[Machine]
    pods: list[Pod]                  # two on node 1, two on node 2; all answer on 8080, TCP and UDP
    outside: str
    proxies: list[Proxier]

    async def set(self, *objects: object) -> None:
        """Changes objects; returns when the kernels have it."""
        self.api.put(*objects)
        await asyncio.sleep(0)       # the informers take it
        await settled(*self.proxies)


@asynccontextmanager
async def set_stage(folder: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(Lab(folder))
        nodes = [await lab.machine(1), await lab.machine(2)]
        await lab.connect()
        pods = [await lab.pod(node) for node in (nodes[0], nodes[0], nodes[1], nodes[1])]
        for pod in pods:
            await lab.serve(pod, 8080)
            await lab.serve(pod, 8080, protocol="udp")
        api = Collections()
        proxies = [await stack.enter_async_context(proxy_on(node, api)) for node in nodes]
        yield Stage(lab, api, nodes, pods, await lab.outsider(), proxies)
