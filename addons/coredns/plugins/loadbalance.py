"""loadbalance: addresses in another order each time, behind any CNAME. Follows CoreDNS's loadbalance (round_robin)."""

from __future__ import annotations

import random

from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import Directive
from addons.coredns.message import AAAA, CNAME, MX, A, Handler, Reply, Request


def setup(directive: Directive, setup: Setup) -> Wrap:
    if directive.args not in ((), ("round_robin",)):
        raise directive.error(f"unknown policy: {' '.join(directive.args)}")
    return LoadBalance


class LoadBalance:
    name = "loadbalance"

    def __init__(self, following: Handler) -> None:
        self._next = following

    async def serve(self, request: Request) -> Reply:
        reply = await self._next.serve(request)
        turned = [record for record in reply.answers if record.rtype in (A, AAAA, MX)]
        if len(turned) > 1:
            random.shuffle(turned)
            first = [record for record in reply.answers if record.rtype == CNAME]
            others = [record for record in reply.answers if record.rtype not in (CNAME, A, AAAA, MX)]
            reply.answers = [*first, *others, *turned]
            reply.rotate = True
        return reply
