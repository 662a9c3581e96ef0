"""Kernel settings (/proc/sys/net) of a network namespace. The files follow the thread that opens them: use inside `kernel.inside`.

Settings for interfaces still to come (`default`) must be written before the interfaces are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from netns.errors import translating

MACHINE: Final = MappingProxyType({
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",           # the larger of `all` and the interface counts: links to sandboxes set their own 1
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",      # a sandbox that reaches itself or its neighbour would be told to go directly
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/icmp_ratelimit": "0",               # else UDP to a Service without endpoints is refused seven times, then once a second
    "net/ipv6/conf/default/disable_ipv6": "1",    # no router solicitations from the machine's end of every link
})

FABRIC: Final = MappingProxyType({
    "net/ipv4/ip_forward": "1",                   # so that a packet to nowhere is answered "unreachable" instead of vanishing
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv6/conf/default/disable_ipv6": "1",
})

SANDBOX: Final = MappingProxyType({
    "net/ipv4/ip_unprivileged_port_start": "0",   # containerd's enable_unprivileged_ports
    "net/ipv4/ping_group_range": "0 2147483647",  # and enable_unprivileged_icmp
})


def apply(settings: Mapping[str, str]) -> None:
    """Writes each setting; one that this kernel does not have (IPv6 switched off) is passed over."""
    for name, value in settings.items():
        write(name, value, missing_ok=True)


def write(name: str, value: str, *, missing_ok: bool = False) -> None:
    with translating(f"set {name} to {value}"):
        try:
            Path("/proc/sys", name).write_text(value)
        except FileNotFoundError:
            if not missing_ok:
                raise


def read(name: str) -> str:
    with translating(f"read {name}"):
        return Path("/proc/sys", name).read_text().strip()
