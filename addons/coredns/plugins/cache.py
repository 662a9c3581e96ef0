"""cache: replies may be kept, their TTLs counting down. Follows CoreDNS's cache.

This plugin decides what may be kept and for how long; the packed bytes are kept in front of the chain, in answer_cache.py.
"""

from __future__ import annotations

from functools import partial

from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import Directive
from addons.coredns.message import NOERROR, NXDOMAIN, SOA, Handler, Reply, Request, min_ttl
from addons.coredns.names import in_zone, reverse_zones

MAX_SUCCESS_S, MAX_DENIAL_S = 3600, 1800
SUCCESS, DENIAL = "success", "denial"
KINDS = (SUCCESS, DENIAL)


class Cache:
    name = "cache"

    def __init__(self, zones: tuple[str, ...], limits_s: dict[str, int], disabled: dict[str, tuple[str, ...]], following: Handler) -> None:
        self._zones = zones
        self._limits_s = limits_s
        self._disabled = disabled
        self._next = following

    async def serve(self, request: Request) -> Reply:
        reply = await self._next.serve(request)
        kind = _kind(reply)
        if kind is None or not any(in_zone(request.name, zone) for zone in self._zones):
            return reply
        if any(in_zone(request.name, zone) for zone in self._disabled[kind]):
            return reply
        records = [*reply.answers, *reply.authority, *reply.additional]
        ttl = min_ttl(records)
        soas = [record for record in reply.authority if record.rtype == SOA]
        if kind == DENIAL:
            if not soas:
                return reply
            ttl = min(soas[0].ttl, soas[0].rdata.times[4])
        lifetime_s = min(self._limits_s[kind], ttl or 0)
        if lifetime_s <= 0:
            return reply
        for record in records:
            record.ttl = lifetime_s         # so that the first reply and the next one, from the cache, agree
        reply.lifetime_s = lifetime_s
        return reply


def _kind(reply: Reply) -> str | None:
    if reply.truncated or reply.rcode not in (NOERROR, NXDOMAIN):
        return None
    return SUCCESS if reply.rcode == NOERROR and reply.answers else DENIAL


def setup(directive: Directive, setup: Setup) -> Wrap:
    args = list(directive.args)
    limits_s = {SUCCESS: MAX_SUCCESS_S, DENIAL: MAX_DENIAL_S}
    if args and args[0].isdigit():
        ttl = int(args.pop(0))
        if ttl <= 0:
            raise directive.error(f"cache TTL can not be zero or negative: {ttl}")
        limits_s = {SUCCESS: ttl, DENIAL: ttl}
    zones = tuple(zone for arg in args for zone in reverse_zones(arg)) or (setup.zone,)
    disabled: dict[str, tuple[str, ...]] = {SUCCESS: (), DENIAL: ()}
    for line in directive.block:
        _read_property(directive, line, limits_s, disabled, zones)
    return partial(Cache, zones, limits_s, disabled)


def _read_property(
    directive: Directive, line: Directive, limits_s: dict[str, int], disabled: dict[str, tuple[str, ...]], zones: tuple[str, ...]
) -> None:
    match (line.name, *line.args):
        case ["success" | "denial" as kind, capacity, *rest] if capacity.isdigit() and all(each.isdigit() for each in rest):
            if rest:
                limits_s[kind] = int(rest[0])
        case ["disable", *rest]:
            named_kinds = [each for each in rest if each in KINDS]
            named = tuple(zone for arg in rest if arg not in KINDS for zone in reverse_zones(arg))
            for each in named_kinds or KINDS:
                disabled[each] = named or zones
        case ["prefetch" | "serve_stale" | "servfail" | "keepttl", *_]:
            pass                # understood, without effect: answers of the cluster are dropped when they change
        case _:
            raise directive.error(f"unknown property '{line.name}'")
