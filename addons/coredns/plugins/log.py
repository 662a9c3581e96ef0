"""log: one line per query that is not answered from the cache. Follows CoreDNS's log."""

from __future__ import annotations

import logging
import time

from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import Directive
from addons.coredns.message import DnsFailure, Handler, Reply, Request, class_name, rcode_name

log = logging.getLogger("coredns")


def setup(directive: Directive, setup: Setup) -> Wrap:
    return Log


class Log:
    name = "log"

    def __init__(self, following: Handler) -> None:
        self._next = following

    async def serve(self, request: Request) -> Reply:
        started = time.perf_counter()
        rcode = 0
        try:
            reply = await self._next.serve(request)
            rcode = reply.rcode
            return reply
        except DnsFailure as failure:
            rcode = failure.rcode
            raise
        finally:
            question = f"{request.type_name} {class_name(request.qclass)} {request.name} {request.protocol}"
            log.info('"%s" %s %.6fs', question, rcode_name(rcode), time.perf_counter() - started)
