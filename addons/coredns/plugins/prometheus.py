"""prometheus: serves the numbers. Follows CoreDNS's prometheus."""

from __future__ import annotations

from functools import partial

from addons.coredns.chain import Setup
from addons.coredns.corefile import Directive
from addons.coredns.http_page import serve_page
from addons.coredns.plugins.health import page_address

DEFAULT_ADDRESS = "localhost:9153"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def setup(directive: Directive, setup: Setup) -> None:
    address = page_address(directive, DEFAULT_ADDRESS)
    metrics = setup.runtime.metrics
    setup.services["prometheus", address] = partial(serve_page, address, "/metrics", lambda: (200, metrics.page()), CONTENT_TYPE)
