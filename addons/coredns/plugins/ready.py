"""ready: says whether every plugin is ready to answer. Follows CoreDNS's ready."""

from __future__ import annotations

from functools import partial

from addons.coredns.chain import Setup
from addons.coredns.corefile import Directive
from addons.coredns.http_page import serve_page
from addons.coredns.plugins.health import page_address

DEFAULT_ADDRESS = ":8181"


def setup(directive: Directive, setup: Setup) -> None:
    address = page_address(directive, DEFAULT_ADDRESS)
    runtime = setup.runtime

    def page() -> tuple[int, str]:
        if runtime.stopping:
            return 503, "shutting down"
        waiting = runtime.ready()
        return (503, ",".join(waiting)) if waiting else (200, "OK")

    setup.services["ready", address] = partial(serve_page, address, "/ready", page)
