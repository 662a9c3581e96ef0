"""Bytes and errors by interface, as one look at the node's own /proc/net/dev tells them: the node's, and each Pod's at its outer end."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class InterfaceUsage(NamedTuple):
    rx_bytes: int
    rx_errors: int
    tx_bytes: int
    tx_errors: int

    def from_inside(self) -> InterfaceUsage:
        """A veth's other end sends what this one receives."""
        return InterfaceUsage(self.tx_bytes, self.tx_errors, self.rx_bytes, self.rx_errors)


def read_interfaces(proc: Path = Path("/proc")) -> dict[str, InterfaceUsage]:
    try:
        lines = (proc / "self/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        fields = [int(field) for field in rest.split()]
        found[name.strip()] = InterfaceUsage(fields[0], fields[2], fields[8], fields[10])
    return found


def default_interface(proc: Path = Path("/proc")) -> str:
    """The one that the default route leaves by; else the first that is not the loopback."""
    try:
        rows = [line.split() for line in (proc / "self/net/route").read_text().splitlines()[1:]]
    except OSError:
        return ""
    for row in rows:
        if row[1] == "00000000":
            return row[0]
    return next((row[0] for row in rows if row[0] != "lo"), "")
