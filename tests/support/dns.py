"""A DNS server in this process on a free loopback port, a store filled through its own interface, and `dig` as the witness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from addons.coredns.kubernetes.objects import (
    SERVICE_NAME_LABEL,
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Namespace,
    Service,
    ServicePort,
    ServiceSpec,
)
from addons.coredns.kubernetes.store import KubernetesStore
from addons.coredns.runtime import Runtime
from kube.api.meta_v1 import ObjectMeta

COREFILE = """
.:0 {
    bind 127.0.0.1
    errors
    %(before)s
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        endpoint none
        pods %(pods)s
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    forward . %(upstream)s {
        max_concurrent 1000
    }
    %(after)s
    loadbalance
}
"""


def corefile(*, pods: str = "insecure", upstream: str = "/does/not/exist", before: str = "", after: str = "") -> str:
    return COREFILE % {"pods": pods, "upstream": upstream, "before": before, "after": after}


def port(text: str) -> ServicePort:
    """"http:80/TCP"; the name may be empty."""
    name, _, rest = text.rpartition(":")
    number, _, protocol = rest.partition("/")
    return ServicePort(name, int(number), protocol or "TCP")


def service(
    name: str, *, namespace: str = "default", ips: Sequence[str] = (), ports: Sequence[str] = ("http:80",), headless: bool = False,
    external_name: str = "",
) -> Service:
    addresses = ("None",) if headless else tuple(ips)
    return Service(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=ServiceSpec(
            type="ExternalName" if external_name else "ClusterIP", cluster_ip=addresses[0] if addresses else "", cluster_ips=addresses,
            external_name=external_name, ports=tuple(map(port, ports)),
        ),
    )


def endpoint_slice(
    name: str, service_name: str, *, namespace: str = "default", ready: Sequence[str] = (), unready: Sequence[str] = (),
    ports: Sequence[str] = ("http:8080",), hostnames: Sequence[str] = (), address_type: str = "IPv4",
) -> EndpointSlice:
    """`hostnames` go with `ready`, in order."""
    names = [*hostnames, *[""] * (len(ready) - len(hostnames))]
    endpoints = [Endpoint(addresses=(ip,), hostname=host) for ip, host in zip(ready, names, strict=True)]
    endpoints += [Endpoint(addresses=(ip,), conditions=EndpointConditions(ready=False)) for ip in unready]
    return EndpointSlice(
        metadata=ObjectMeta(name=name, namespace=namespace, labels={SERVICE_NAME_LABEL: service_name}),
        address_type=address_type, endpoints=tuple(endpoints),
        ports=tuple(EndpointPort(each.name, each.port, each.protocol) for each in map(port, ports)),
    )


def fill(store: KubernetesStore) -> None:
    """The cluster of the tests."""
    for name in ("default", "kube-system", "empty"):
        store.set_namespace(Namespace(metadata=ObjectMeta(name=name)))
    store.set_service(service("kubernetes", ips=["10.96.0.1"], ports=["https:443"]))
    store.set_service(service("hello", ips=["10.96.7.7"], ports=["http:80", "metrics:9090"]))
    store.set_service(service("dual", ips=["10.96.7.8", "fd00::8"]))
    store.set_service(service("web", headless=True))
    store.set_slice(endpoint_slice(
        "web-1", "web", ready=["10.244.1.5", "10.244.2.6", "10.244.2.7"], unready=["10.244.3.3"], hostnames=["web-0", "web-1"]))
    store.set_service(service("empty", headless=True))
    store.set_service(service("noports", headless=True, ports=[]))
    store.set_slice(endpoint_slice("noports-1", "noports", ready=["10.244.1.9"], ports=[]))
    store.set_service(service("outside", external_name="www.example.com"))
    store.set_service(service("inside", external_name="hello.default.svc.cluster.local"))
    store.set_service(service("dns", namespace="kube-system", ips=["10.96.0.10"], ports=["dns:53/UDP", "dns-tcp:53/TCP"]))
    store.synced = True


@dataclass(frozen=True)
class Answer:
    """What dig says."""

    status: str
    flags: frozenset[str]
    answers: list[str] = field(default_factory=list)         # "name ttl type data"
    authority: list[str] = field(default_factory=list)
    additional: list[str] = field(default_factory=list)

    @property
    def data(self) -> list[str]:
        return [line.split(" ", 3)[3] for line in self.answers]

    @property
    def ttls(self) -> set[int]:
        return {int(line.split(" ")[1]) for line in self.answers}


@dataclass(frozen=True)
class DnsServer:
    runtime: Runtime
    store: KubernetesStore
    port: int

    async def dig(self, *arguments: str) -> Answer:
        return parse_dig(await run_dig("-p", str(self.port), "@127.0.0.1", "+tries=1", "+time=3", *arguments))


async def run_dig(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("dig", *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode()


def parse_dig(output: str) -> Answer:
    sections: dict[str, list[str]] = {"ANSWER": [], "AUTHORITY": [], "ADDITIONAL": []}
    status, flags, section = "", frozenset[str](), ""
    for line in output.splitlines():
        if "status: " in line:
            status = line.partition("status: ")[2].partition(",")[0]
        elif line.startswith(";; flags: "):
            flags = frozenset(line.removeprefix(";; flags: ").partition(";")[0].split())
        elif line.startswith(";; ") and line.endswith(" SECTION:"):
            section = line.removeprefix(";; ").removesuffix(" SECTION:")
        elif line and not line.startswith(";") and section in sections:
            name, ttl, _, kind, *data = line.split()
            sections[section].append(" ".join((name, ttl, kind, *data)))
    return Answer(status, flags, *sections.values())


@asynccontextmanager
async def running_server(directory: Path, text: str | None = None) -> AsyncIterator[DnsServer]:
    path = directory / "Corefile"
    path.write_text(corefile() if text is None else text)
    async with Runtime(path) as runtime:
        store = runtime.shared(("kubernetes", "none", False), KubernetesStore)
        fill(store)
        (_, number), *_ = runtime.addresses()
        yield DnsServer(runtime, store, number)
