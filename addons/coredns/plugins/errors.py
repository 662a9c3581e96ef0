"""errors: logs what could not be answered. Follows CoreDNS's errors."""

from __future__ import annotations

import logging

from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import Directive
from addons.coredns.message import DnsFailure, Handler, Reply, Request

log = logging.getLogger("coredns")


def setup(directive: Directive, setup: Setup) -> Wrap:
    if directive.args and directive.args != ("stdout",):
        raise directive.wrong_arguments()
    return Errors


class Errors:
    name = "errors"

    def __init__(self, following: Handler) -> None:
        self._next = following

    async def serve(self, request: Request) -> Reply:
        try:
            return await self._next.serve(request)
        except DnsFailure as failure:
            log.error("plugin/errors: %d %s %s: %s", failure.rcode, request.name, request.type_name, failure)
            raise
