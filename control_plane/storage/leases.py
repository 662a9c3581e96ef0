"""Leases for objects with a time to live, shared by all that are written within one window.

A lease per Event would be a second write for each. As upstream's lease manager, one lease serves the writes of a window, and
lives longer by that window, so that none expires early.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final, NamedTuple

from aetcd import rpc

from control_plane.storage.connection import Connection

WINDOW_S: Final = 60.0           # upstream's --lease-reuse-duration-seconds
WINDOW_SHARE: Final = 0.05       # but no more than this share of the time to live
MAX_OBJECTS: Final = 1000        # etcd deletes what hangs on a lease in one go


class _Lease(NamedTuple):
    id: int
    closes_at: float             # the event loop's time until which it may be handed out


class LeasePool:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._leases: dict[float, _Lease] = {}
        self._handed_out: dict[int, int] = {}
        self._lock = asyncio.Lock()

    async def lease_for(self, ttl_s: float) -> int:
        """A lease that ends no earlier than `ttl_s` from now."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            lease = self._leases.get(ttl_s)
            if lease is None or now >= lease.closes_at or self._handed_out[lease.id] >= MAX_OBJECTS:
                if lease is not None:
                    del self._handed_out[lease.id]
                lease = await self._grant(ttl_s, now)
            self._handed_out[lease.id] += 1
            return lease.id

    def forget(self, lease_id: int) -> None:
        """etcd does not know it (any more)."""
        self._leases = {ttl_s: lease for ttl_s, lease in self._leases.items() if lease.id != lease_id}
        self._handed_out.pop(lease_id, None)

    async def _grant(self, ttl_s: float, now: float) -> _Lease:
        window_s = min(WINDOW_S, ttl_s * WINDOW_SHARE)
        request = rpc.LeaseGrantRequest(TTL=max(1, math.ceil(ttl_s + window_s)))
        response = await self._connection.persist("lease grant", lambda etcd, timeout: etcd.lease.LeaseGrant(request, timeout=timeout))
        lease = self._leases[ttl_s] = _Lease(response.ID, now + window_s)
        self._handed_out[lease.id] = 0
        return lease
