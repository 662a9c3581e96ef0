"""health: says that the process lives, and delays its end (lameduck). Follows CoreDNS's health."""

from __future__ import annotations

from functools import partial

from addons.coredns.chain import Setup
from addons.coredns.corefile import Directive, parse_seconds
from addons.coredns.http_page import serve_page, split_address

DEFAULT_ADDRESS = ":8080"


def setup(directive: Directive, setup: Setup) -> None:
    address = page_address(directive, DEFAULT_ADDRESS)
    for line in directive.block:
        if line.name != "lameduck" or len(line.args) != 1:
            raise directive.error(f"unknown property '{line.name}'")
        try:
            setup.lameduck_s = parse_seconds(line.args[0])
        except ValueError as error:
            raise directive.error(str(error)) from error
    setup.services["health", address] = partial(serve_page, address, "/health", lambda: (200, "OK"))


def page_address(directive: Directive, default: str) -> str:
    """The one optional argument of the plugins that serve a page."""
    if len(directive.args) > 1:
        raise directive.wrong_arguments()
    address = directive.args[0] if directive.args else default
    try:
        split_address(address)
    except ValueError as error:
        raise directive.error(f"address {address}: missing port in address") from error
    return address
