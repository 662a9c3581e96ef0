"""A name of the cluster's zones -> what stands there. Pure; follows CoreDNS's kubernetes plugin and the DNS-based service discovery
specification, version 1.1.0.

    service.namespace.svc.ZONE                          cluster addresses, or those of a headless Service's endpoints
    endpoint.service.namespace.svc.ZONE                 one endpoint: its hostname, or its address with dashes
    _port._protocol.service.namespace.svc.ZONE          named ports (SRV)
    10-244-1-5.namespace.pod.ZONE                       Pods

Whether a name exists does not depend on the type asked for: an existing name without records of that type has no data (NOERROR), and
only a name that does not exist is NXDOMAIN.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from addons.coredns.kubernetes.objects import NO_PORT, ServiceKey, ServiceRecord
from addons.coredns.kubernetes.store import AddressTag, KubernetesStore, NamespaceTag, ServiceTag
from addons.coredns.names import address_of_reverse

POD, SVC = "pod", "svc"
PODS_DISABLED, PODS_INSECURE, PODS_VERIFIED = "disabled", "insecure", "verified"
Tags = frozenset[Hashable]


class Target(NamedTuple):
    """One address (or, for an ExternalName, one name) behind a name. `owner` is the name whose address it is: the target of SRV."""

    host: str
    owner: str
    port: int = NO_PORT


@dataclass(frozen=True, slots=True)
class Found:
    """`exists` with no targets is "no data". `tags`: what the answer came from."""

    exists: bool
    targets: tuple[Target, ...] = ()
    tags: Tags = field(default_factory=frozenset)


class _Parsed(NamedTuple):
    kind: str                   # "svc", "pod"; "" for the zone's own name and those of svc and pod
    namespace: str = ""
    service: str = ""
    endpoint: str = ""
    port: str = ""
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Bound to a store and the plugin's settings; `namespaces` empty: all."""

    store: KubernetesStore
    pods: str = PODS_DISABLED
    namespaces: frozenset[str] = frozenset()

    def forward(self, name: str, zone: str) -> Found:
        """`name` in lower case, below `zone`."""
        parsed = _parse(name, zone)
        if parsed is None:
            return Found(exists=False)
        if not parsed.kind:
            return Found(exists=True)
        tags = frozenset({NamespaceTag(parsed.namespace), ServiceTag(parsed.namespace, parsed.service)})
        if not self._exposed(parsed.namespace):
            return Found(False, tags=tags)
        if not parsed.service:
            return Found(True, tags=tags)
        if parsed.kind == POD:
            return self._pod(parsed, name, tags)
        service = self.store.service(ServiceKey(parsed.namespace, parsed.service))
        if service is None:
            return Found(False, tags=tags)
        targets = self._targets(service, parsed, zone)
        return Found(bool(targets), tuple(targets), tags)

    def reverse(self, name: str, zone: str) -> Found:
        """The names of an address, as targets whose `host` is the name; `zone` is the one they are named in."""
        address = address_of_reverse(name)
        if not address:
            return Found(exists=False)
        tags: Tags = frozenset({AddressTag(address)})
        for key in self.store.services_with(address):
            if self._exposed(key.namespace):
                host = f"{key.name}.{key.namespace}.{SVC}.{zone}"
                return Found(True, (Target(host, host),), tags)
        hosts = [
            f"{endpoint.hostname}.{record.service.name}.{record.service.namespace}.{SVC}.{zone}"
            for record in self.store.slices_with(address)
            if self._exposed(record.service.namespace) and record.service.name
            for endpoint in record.endpoints
            if endpoint.address == address
        ]
        return Found(bool(hosts), tuple(Target(host, host) for host in dict.fromkeys(hosts)), tags)

    def own_services(self, local_addresses: tuple[str, ...], zone: str) -> list[Target]:
        """The Services behind which this very server stands: the zone's name servers."""
        targets = []
        for address in local_addresses:
            for record in self.store.slices_with(address):
                service = self.store.service(record.service)
                if service is not None:
                    owner = f"{service.key.name}.{service.key.namespace}.{SVC}.{zone}"
                    targets += [Target(ip, owner) for ip in service.cluster_ips]
        return list(dict.fromkeys(targets)) or [Target(address, f"ns.dns.{zone}") for address in local_addresses]

    def _exposed(self, namespace: str) -> bool:
        if self.namespaces and namespace not in self.namespaces:
            return False
        return self.store.has_namespace(namespace)

    def _pod(self, parsed: _Parsed, name: str, tags: Tags) -> Found:
        label = parsed.service
        text = label.replace("-", ".") if label.count("-") == 3 and "--" not in label else label.replace("-", ":")
        try:
            address = str(ipaddress.ip_address(text))
        except ValueError:
            return Found(False, tags=tags)
        tags |= {AddressTag(address)}
        if self.pods == PODS_DISABLED or (self.pods == PODS_VERIFIED and not self.store.has_pod(address, parsed.namespace)):
            return Found(False, tags=tags)
        return Found(True, (Target(address, name),), tags)

    def _targets(self, service: ServiceRecord, parsed: _Parsed, zone: str) -> list[Target]:
        owner = f"{service.key.name}.{service.key.namespace}.{SVC}.{zone}"
        wants_port = _port_matcher(parsed)
        if service.external_name:
            plain = not (parsed.endpoint or parsed.port or parsed.protocol)
            return [Target(service.external_name.lower().rstrip(".") + ".", owner)] if plain else []
        if service.headless or parsed.endpoint:
            return [
                Target(endpoint.address, f"{endpoint.hostname}.{owner}", port.port)
                for record in self.store.slices(service.key)
                for endpoint in record.endpoints
                if not parsed.endpoint or endpoint.hostname.lower() == parsed.endpoint
                for port in record.ports
                if wants_port(port.name, port.protocol)
            ]
        return [
            Target(address, owner, port.port)
            for port in service.ports
            if wants_port(port.name, port.protocol)
            for address in service.cluster_ips
        ]


def _parse(name: str, zone: str) -> _Parsed | None:
    """None: no name of that shape can exist."""
    if name == zone:
        return _Parsed("")
    labels = name[: -len(zone) - 1].split(".")
    kind = labels.pop()
    if kind not in (POD, SVC):
        return None
    if not labels:
        return _Parsed("")
    namespace = labels.pop()
    service = labels.pop() if labels else ""
    match labels:
        case []:
            return _Parsed(kind, namespace, service)
        case [endpoint]:
            return _Parsed(kind, namespace, service, endpoint=endpoint)
        case [port, protocol]:
            return _Parsed(kind, namespace, service, port=port.removeprefix("_"), protocol=protocol.removeprefix("_"))
        case _:
            return None


def _port_matcher(parsed: _Parsed) -> Callable[[str, str], bool]:
    def matches(name: str, protocol: str) -> bool:
        return parsed.port in ("", name.lower()) and parsed.protocol in ("", protocol.lower())

    return matches


DNS_VERSION: Final = "1.1.0"
