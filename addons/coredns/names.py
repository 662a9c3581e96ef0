"""Domain names as lower-case texts with a final dot; zones by suffix."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

REVERSE_V4, REVERSE_V6 = ".in-addr.arpa.", ".ip6.arpa."


def fqdn(name: str) -> str:
    """Lower case, with the final dot."""
    lower = name.lower()
    return lower if lower.endswith(".") else lower + "."


def in_zone(name: str, zone: str) -> bool:
    """Both as `fqdn` writes them. Every name is in the root zone."""
    return zone == "." or name == zone or name.endswith("." + zone)


def longest_zone(name: str, zones: Iterable[str]) -> str | None:
    matching = [zone for zone in zones if in_zone(name, zone)]
    return max(matching, key=len, default=None)


def address_of_reverse(name: str) -> str:
    """`1.0.96.10.in-addr.arpa.` -> `10.96.0.1`; "" for anything that is no whole address."""
    try:
        if name.endswith(REVERSE_V4):
            labels = name[: -len(REVERSE_V4)].split(".")
            return str(ipaddress.IPv4Address(".".join(reversed(labels))))
        if name.endswith(REVERSE_V6):
            digits = name[: -len(REVERSE_V6)].split(".")
            if len(digits) == 32 and all(len(digit) == 1 for digit in digits):
                return str(ipaddress.IPv6Address(int("".join(reversed(digits)), 16)))
    except ValueError:
        pass
    return ""


def reverse_zones(text: str) -> list[str]:
    """A zone as a Corefile may write it: a name, or an address range that stands for its reverse zone(s)."""
    if "/" not in text:
        return [fqdn(text)]
    network = ipaddress.ip_network(text, strict=False)
    step = 8 if network.version == 4 else 4
    whole = -(-network.prefixlen // step) * step
    return [_reverse_name(subnet, whole // step) for subnet in network.subnets(new_prefix=whole)]


def _reverse_name(network: ipaddress.IPv4Network | ipaddress.IPv6Network, labels: int) -> str:
    parts = network.network_address.reverse_pointer.split(".")
    return ".".join(parts[len(parts) - 2 - labels:]) + "."
