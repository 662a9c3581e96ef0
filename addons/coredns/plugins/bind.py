"""bind: the addresses to listen on, instead of all. Follows CoreDNS's bind."""

from __future__ import annotations

import ipaddress

from addons.coredns.chain import Setup
from addons.coredns.corefile import Directive


def setup(directive: Directive, setup: Setup) -> None:
    if not directive.args:
        raise directive.wrong_arguments()
    for address in directive.args:
        try:
            setup.addresses.append(str(ipaddress.ip_address(address)))
        except ValueError as error:
            raise directive.error(f"not a valid IP address: {address}") from error
