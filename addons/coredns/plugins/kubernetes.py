"""kubernetes: the cluster's own names. Follows CoreDNS's kubernetes; what a name stands for is decided in kubernetes/lookup.py."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from dnslib import RR

from addons.coredns import records
from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import Directive
from addons.coredns.kubernetes.lookup import (
    DNS_VERSION,
    PODS_DISABLED,
    PODS_VERIFIED,
    Found,
    Lookup,
    Target,
)
from addons.coredns.kubernetes.objects import NO_PORT
from addons.coredns.kubernetes.store import AddressTag, KubernetesStore
from addons.coredns.message import (
    AAAA,
    AXFR,
    CNAME,
    IXFR,
    NS,
    NXDOMAIN,
    PTR,
    REFUSED,
    SERVFAIL,
    SOA,
    SRV,
    TXT,
    A,
    DnsFailure,
    Handler,
    Reply,
    Request,
)
from addons.coredns.names import in_zone, longest_zone, reverse_zones
from addons.coredns.runtime import Runtime

DEFAULT_TTL_S: Final = 5
DNS_VERSION_TTL_S: Final = 28_800
ZONE_TAG: Final = ("zone", "of the cluster")     # of answers that no object can change
REVERSE: Final = (".in-addr.arpa.", ".ip6.arpa.")

log = logging.getLogger("coredns")


@dataclass(frozen=True, slots=True)
class Settings:
    zones: tuple[str, ...]
    pods: str = PODS_DISABLED
    ttl_s: int = DEFAULT_TTL_S
    fall_through: tuple[str, ...] = ()
    namespaces: frozenset[str] = frozenset()
    endpoint: str = ""                              # of the apiserver; "": from the Pod's environment; "none": no watch
    tls: tuple[str, str, str] | None = None         # certificate, key and CA, for an endpoint

    @property
    def primary_zone(self) -> str:
        """The first zone that is not for addresses: endpoints and Services are named in it."""
        return next((zone for zone in self.zones if not ("." + zone).endswith(REVERSE)), self.zones[0])


class Kubernetes:
    name = "kubernetes"

    def __init__(self, settings: Settings, store: KubernetesStore, local_addresses: tuple[str, ...], following: Handler) -> None:
        self._settings = settings
        self._store = store
        self._local_addresses = local_addresses
        self._lookup = Lookup(store, settings.pods, settings.namespaces)
        self._next = following

    async def serve(self, request: Request) -> Reply:
        zone = longest_zone(request.name, self._settings.zones)
        if zone is None:
            return await self._next.serve(request)
        if request.qtype in (AXFR, IXFR):
            return Reply(REFUSED, source=self.name)
        own = self._own_names(request, zone)
        if own is not None:
            return own
        found = self._find(request, zone)
        if not found.exists:
            if any(in_zone(request.name, each) for each in self._settings.fall_through):
                return await self._next.serve(request)
            if not self._store.synced:
                raise DnsFailure("the cluster's Services are not known yet", SERVFAIL)
            return self._negative(zone, found, NXDOMAIN)
        return await self._answer(request, zone, found)

    def _find(self, request: Request, zone: str) -> Found:
        if ("." + zone).endswith(REVERSE):
            return self._lookup.reverse(request.name, self._settings.primary_zone)
        return self._lookup.forward(request.name, zone)

    def _own_names(self, request: Request, zone: str) -> Reply | None:
        """What the zone says about itself: SOA, name servers, the version of the specification."""
        tags = frozenset({ZONE_TAG, *(AddressTag(each) for each in self._local_addresses)})
        ttl_s = self._settings.ttl_s
        if request.name == zone and request.qtype == SOA:
            return self._positive([self._soa(zone)], tags)
        if request.name == zone and request.qtype == NS:
            servers = self._lookup.own_services(self._local_addresses, zone)
            names = dict.fromkeys(target.owner for target in servers)
            reply = self._positive([records.ns(request.asked, ttl_s, name) for name in names], tags)
            reply.additional = [records.address(target.owner, ttl_s, target.host) for target in servers]
            return reply
        if request.name == f"ns.dns.{zone}":
            servers = self._lookup.own_services(self._local_addresses, zone)
            answers = _addresses(request, servers, ttl_s)
            return self._positive(answers, tags) if answers else self._negative(zone, Found(True, tags=tags))
        if request.name == f"dns-version.{zone}":
            version = records.txt(request.asked, DNS_VERSION_TTL_S, DNS_VERSION)
            return self._positive([version], tags) if request.qtype == TXT else None
        return None

    async def _answer(self, request: Request, zone: str, found: Found) -> Reply:
        ttl_s = self._settings.ttl_s
        target = found.targets[0].host if found.targets else ""
        if request.qtype == PTR and ("." + zone).endswith(REVERSE):
            return self._positive([records.ptr(request.asked, ttl_s, each.host) for each in found.targets], found.tags)
        if target.endswith(".") and request.qtype in (A, AAAA, TXT, CNAME):
            return await self._alias(request, target, found)
        answers: list[RR] = []
        additional: list[RR] = []
        if request.qtype in (A, AAAA):
            answers = _addresses(request, found.targets, ttl_s)
        elif request.qtype == SRV and not target.endswith("."):
            answers, additional = _services(request, found.targets, ttl_s)
        if not answers:
            return self._negative(zone, found)
        reply = self._positive(answers, found.tags)
        reply.additional = additional
        return reply

    async def _alias(self, request: Request, target: str, found: Found) -> Reply:
        """An ExternalName: the CNAME, and what the other name stands for, if this server can say."""
        answers = [records.cname(request.asked, self._settings.ttl_s, target)]
        reply = self._positive(answers, found.tags)
        if request.qtype == CNAME or request.resolve is None or target == request.name:
            return reply
        followed = await request.resolve(target, request.qtype)
        answers += followed.answers
        reply.truncated = followed.truncated
        # Kept only if all of it comes from the cluster: otherwise nobody would say when it changes.
        reply.tags = found.tags | followed.tags if followed.tags else frozenset()
        return reply

    def _positive(self, answers: list[RR], tags: frozenset[Hashable]) -> Reply:
        return Reply(answers=answers, authoritative=True, tags=tags or frozenset({ZONE_TAG}), source=self.name)

    def _negative(self, zone: str, found: Found, rcode: int = 0) -> Reply:
        reply = Reply(rcode, authority=[self._soa(zone)], authoritative=True, source=self.name)
        if self._store.synced:
            reply.tags = found.tags or frozenset({ZONE_TAG})
        return reply

    def _soa(self, zone: str) -> RR:
        return records.soa(zone, self._settings.ttl_s, self._store.serial)


def _addresses(request: Request, targets: tuple[Target, ...] | list[Target], ttl_s: int) -> list[RR]:
    """One record per address of the family that was asked for."""
    hosts = dict.fromkeys(target.host for target in targets if (":" in target.host) == (request.qtype == AAAA))
    return [records.address(request.asked, ttl_s, host) for host in hosts] if request.qtype in (A, AAAA) else []


def _services(request: Request, targets: tuple[Target, ...], ttl_s: int) -> tuple[list[RR], list[RR]]:
    """SRV records, each target once per port, all of the same weight; and the addresses of their targets."""
    usable = [target for target in targets if target.port != NO_PORT]
    weight = max(1, 100 // len(usable)) if usable else 0
    pairs = dict.fromkeys((target.owner, target.port) for target in usable)
    answers = [records.srv(request.asked, ttl_s, weight=weight, port=port, target=owner) for owner, port in pairs]
    hosts = dict.fromkeys((target.owner, target.host) for target in usable)
    return answers, [records.address(owner, ttl_s, host) for owner, host in hosts]


def setup(directive: Directive, setup: Setup) -> Wrap:
    settings = _settings(directive, setup)
    runtime, with_pods = setup.runtime, settings.pods == PODS_VERIFIED
    key = ("kubernetes", settings.endpoint, with_pods)
    store = runtime.shared(key, KubernetesStore)
    setup.ready["kubernetes"] = lambda: store.synced
    setup.services[key] = partial(_follow_cluster, runtime, store, settings)
    return partial(Kubernetes, settings, store, local_addresses())


def _settings(directive: Directive, setup: Setup) -> Settings:
    try:
        zones = tuple(zone for arg in directive.args for zone in reverse_zones(arg)) or (setup.zone,)
    except ValueError as error:
        raise directive.error(str(error)) from error
    settings = Settings(zones)
    for line in directive.block:
        match (line.name, *line.args):
            case ["pods", "disabled" | "insecure" | "verified" as mode]:
                settings = replace(settings, pods=mode)
            case ["ttl", text] if text.isdigit():
                if int(text) > 3600:
                    raise directive.error(f"ttl must be in range [0, 3600]: {text}")
                settings = replace(settings, ttl_s=int(text))
            case ["fallthrough", *rest]:
                named = tuple(zone for arg in rest for zone in reverse_zones(arg)) or (".",)
                settings = replace(settings, fall_through=named)
            case ["namespaces", _, *_]:
                settings = replace(settings, namespaces=frozenset(line.args))
            case ["endpoint", url]:
                settings = replace(settings, endpoint=url)
            case ["tls", certificate, key, ca]:
                settings = replace(settings, tls=(certificate, key, ca))
            case _:
                raise directive.error(f"unknown property '{line.name}'")
    return settings


@asynccontextmanager
async def _follow_cluster(runtime: Runtime, store: KubernetesStore, settings: Settings) -> AsyncIterator[None]:
    """Watches the apiserver while the configuration is in force. Endpoint "none": the store is filled by somebody else."""
    store.add_listener(runtime.drop_answers)
    task = None
    if settings.endpoint != "none":
        task = asyncio.create_task(_watch(store, settings), name="watch the cluster")
        task.add_done_callback(partial(_report, runtime))
    try:
        yield
    finally:
        store.remove_listener(runtime.drop_answers)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _report(runtime: Runtime, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        runtime.fail(error)


async def _watch(store: KubernetesStore, settings: Settings) -> None:
    from addons.coredns.kubernetes.watch import keep_store
    from kube.client.rest_transport import RestTransport

    if settings.endpoint and settings.tls:
        certificate, key, ca = settings.tls
        transport = RestTransport.connect(settings.endpoint, ca_file=ca, cert_file=certificate, key_file=key)
    elif settings.endpoint:
        transport = RestTransport(settings.endpoint)
    else:
        transport = RestTransport.in_cluster()
    try:
        await keep_store(store, transport, with_pods=settings.pods == PODS_VERIFIED)
    finally:
        await transport.close()


def local_addresses() -> tuple[str, ...]:
    """The addresses this server may be known by: that of the interface a packet to anywhere would leave by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 53))        # sends nothing
            address = str(probe.getsockname()[0])
        except OSError:
            return ("127.0.0.1",)
    return (str(ipaddress.ip_address(address)),)
