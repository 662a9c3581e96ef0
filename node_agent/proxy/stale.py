"""UDP flows that must be forgotten after a change. Pure.

The kernel remembers for every UDP flow where it goes, as long as packets keep coming. A client that asks from one source port would stay
with an endpoint that is gone; and one whose packets reached a node port before there was any endpoint would never be redirected.
TCP needs none of this: connections end, new ones are new flows.
"""

from __future__ import annotations

from collections.abc import Iterable

from netns.conntrack import Socket
from node_agent.proxy.facts import Route, ServiceFacts


def answering(changes: Iterable[tuple[ServiceFacts, ServiceFacts]]) -> dict[Socket, frozenset[Socket]]:
    """The UDP addresses whose endpoints changed (old, new), each with those that may answer there now."""
    found: dict[Socket, frozenset[Socket]] = {}
    for old, new in changes:
        for vip in old.routes.keys() | new.routes.keys():
            if vip.protocol == "udp":
                before, after = _endpoints(old.routes.get(vip)), _endpoints(new.routes.get(vip))
                where = Socket(vip.address, vip.port)
                if before != after:         # an address that one Service gives up may be another's in the same change
                    found[where] = found.get(where, frozenset()) | after
    return found


def _endpoints(route: Route | None) -> frozenset[Socket]:
    if route is None:
        return frozenset()
    endpoints = (*route.inside.endpoints, *(route.outside.endpoints if route.outside else ()))
    return frozenset(Socket(endpoint.address, endpoint.port) for endpoint in endpoints)
