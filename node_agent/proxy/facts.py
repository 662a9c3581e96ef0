"""What the kernel must know of a Service: for each address that clients use, which endpoints answer there.

Everything is a value: two plans of an unchanged Service are equal, and the difference of two plans is what must change in the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Vip(NamedTuple):
    """An address that clients use: a cluster IP, an external one, or the node's own with a node port."""

    address: str
    protocol: Literal["tcp", "udp", "sctp"]
    port: int

    def __str__(self) -> str:
        return f"{self.address} . {self.protocol} . {self.port}"


class Endpoint(NamedTuple):
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address} . {self.port}"

    @property
    def mark(self) -> int:
        """What affinity remembers of a client: the endpoint's address, spelt in the mark (the port tells two on one address apart)."""
        first, second, third, fourth = map(int, self.address.split("."))
        return (first << 24 | second << 16 | third << 8 | fourth) ^ (self.port << 16 & 0xFFFF0000)


class Pick(NamedTuple):
    """One of these endpoints, at random; with affinity the one that the client had, for so many seconds after its last connection."""

    endpoints: tuple[Endpoint, ...]
    affinity_s: int = 0
    if_none: Literal["refuse", "drop"] = "refuse"


class Route(NamedTuple):
    """What happens to packets for one Vip."""

    inside: Pick                          # from this node and its Pods, and from everywhere where `outside` is None
    outside: Pick | None = None           # from elsewhere, when externalTrafficPolicy is Local: endpoints of this node, source kept
    sources: tuple[str, ...] | None = None     # loadBalancerSourceRanges: who may; None is everybody


class ServiceFacts(NamedTuple):
    routes: Mapping[Vip, Route]
    cluster_ips: tuple[str, ...] = ()
    local: frozenset[str] = frozenset()   # addresses of endpoints on this node: they may meet themselves


NOTHING = ServiceFacts({})
