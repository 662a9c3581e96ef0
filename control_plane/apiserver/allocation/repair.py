"""What a crash between a claim and its Service leaves: claims without a Service, Services without a claim.

Follows upstream's repair loops. A claim counts as left over only when two passes in a row found no Service for it, since a
create is two writes.
"""

from __future__ import annotations

import contextlib
from typing import Final

from control_plane.apiserver.allocation.cluster_ips import ClusterIps, ip_addresses, owner_of
from control_plane.apiserver.allocation.errors import AllocationError
from control_plane.apiserver.allocation.node_ports import NodePorts
from control_plane.apiserver.allocation.services import Holding, holding_of
from control_plane.storage.cached_object import encode_value
from control_plane.storage.errors import StorageError
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("allocation")

_INTERVAL_S: Final = 180.0


class Repair:
    def __init__(self, cache: WatchCache, ips: ClusterIps, node_ports: NodePorts, clock: Clock) -> None:
        self._cache = cache
        self._ips = ips
        self._node_ports = node_ports
        self._clock = clock
        self._suspects: set[tuple[str | int, NamespacedName]] = set()

    async def run(self) -> None:
        while True:
            try:
                await self.step()
            except (ApiError, StorageError) as error:
                log.info("repair failed, trying again later", error=str(error))
            await self._clock.sleep(_INTERVAL_S)

    async def step(self) -> None:
        services = SCHEME.for_path("", "v1", "services")
        assert services is not None
        claimed_ports = await self._node_ports.owners()
        await self._cache.fresh()
        held = {
            NamespacedName(item.namespace, item.name): holding_of(item.obj) for item in self._cache.list(services)[0]
        }
        resource = ip_addresses()
        claimed_ips = {
            item.name: owner_of(encode_value(resource, item.obj)) for item in self._cache.list(resource)[0]
        }
        await self._restore(held, claimed_ips, claimed_ports)
        nothing = Holding(frozenset(), frozenset())
        orphans: set[tuple[str | int, NamespacedName]] = set()
        orphans |= {(ip, owner) for ip, owner in claimed_ips.items() if ip not in held.get(owner, nothing).addresses}
        orphans |= {(port, owner) for port, owner in claimed_ports.items() if port not in held.get(owner, nothing).ports}
        for what, owner in orphans & self._suspects:
            if isinstance(what, int):
                await self._node_ports.give_back(what, owner)
            else:
                await self._ips.give_back(what, owner)
            log.info("gave back what no Service holds", what=what, service=str(owner))
        self._suspects = orphans - self._suspects

    async def _restore(
        self, held: dict[NamespacedName, Holding], claimed_ips: dict[str, NamespacedName], claimed_ports: dict[int, NamespacedName]
    ) -> None:
        for service, holding in held.items():
            for address in holding.addresses - claimed_ips.keys():
                with contextlib.suppress(AllocationError):
                    await self._ips.take(address, service)
            for port in holding.ports - claimed_ports.keys():
                with contextlib.suppress(AllocationError):
                    await self._node_ports.take(port, service)
