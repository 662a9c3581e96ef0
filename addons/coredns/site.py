"""One Corefile, made ready: the chains behind each address, and what runs beside them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from addons.coredns.chain import Service, Setup, build_chain
from addons.coredns.corefile import CorefileError, ServerBlock
from addons.coredns.message import Handler

if TYPE_CHECKING:
    from addons.coredns.runtime import Runtime

Chains = dict[str, Handler]     # by zone


@dataclass(slots=True)
class Site:
    chains: dict[tuple[str, int], Chains] = field(default_factory=dict)     # by address to listen on
    services: dict[Hashable, Service] = field(default_factory=dict)
    ready: dict[str, Callable[[], bool]] = field(default_factory=dict)
    lameduck_s: float = 0.0


def build_site(blocks: list[ServerBlock], runtime: Runtime) -> Site:
    """Raises CorefileError; nothing has been started then."""
    site = Site()
    for block in blocks:
        for zone, port in block.zones:
            setup = Setup(runtime, zone, port)
            handler = build_chain(block, setup)
            for host in setup.addresses or ["0.0.0.0"]:
                chains = site.chains.setdefault((host, port), {})
                if zone in chains:
                    raise CorefileError(f"cannot serve dns://{zone}:{port} - it is already defined")
                chains[zone] = handler
            site.services |= setup.services
            site.ready |= setup.ready
            site.lameduck_s = max(site.lameduck_s, setup.lameduck_s)
    return site
