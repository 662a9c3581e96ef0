"""Which Pod holds which address of the node's range, kept on disk: one file per address, its text the holder.

The layout is that of CNI's host-local plugin. Addresses are dealt round the range, so that a freed one rests as long as possible before the
next Pod gets it: peers may still have connections, and caches, that mean its last holder.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LAST = "last_reserved_ip"


class AddressesExhaustedError(Exception):
    """Every address of the node's range is held."""


class AddressPool:
    """The addresses of one range, without its first (the tunnel's) and last (broadcast)."""

    def __init__(self, folder: Path, cidr: str) -> None:
        self.cidr = cidr
        self._network = ipaddress.IPv4Network(cidr)
        self._folder = folder / cidr.replace("/", "_")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._holder_of = {path.name: path.read_text() for path in self._folder.iterdir() if path.name[0].isdigit()}
        self._address_of = {holder: address for address, holder in self._holder_of.items()}

    def address_of(self, holder: str) -> str | None:
        return self._address_of.get(holder)

    def holders(self) -> list[str]:
        return sorted(self._address_of)

    def hold(self, holder: str) -> str:
        """The holder's address; a new one if it has none. Raises AddressesExhaustedError."""
        if (address := self._address_of.get(holder)) is not None:
            return address
        address = next((candidate for candidate in self._candidates() if candidate not in self._holder_of), None)
        if address is None:
            raise AddressesExhaustedError(f"no addresses available in range {self.cidr}")
        _write(self._folder / address, holder)
        _write(self._folder / _LAST, address)
        self._holder_of[address] = holder
        self._address_of[holder] = address
        return address

    def release(self, holder: str) -> None:
        if (address := self._address_of.pop(holder, None)) is not None:
            del self._holder_of[address]
            (self._folder / address).unlink(missing_ok=True)

    def _candidates(self) -> Iterator[str]:
        first, count = int(self._network.network_address) + 1, self._network.num_addresses - 2
        last = first - 1
        with suppress(OSError, ValueError):
            last = int(ipaddress.IPv4Address((self._folder / _LAST).read_text()))
        for step in range(1, count + 1):
            yield str(ipaddress.IPv4Address(first + (last - first + step) % count))


def _write(path: Path, text: str) -> None:
    # Written aside and renamed: a reader after a crash finds a whole file or none.
    aside = path.with_name(f".{path.name}")
    aside.write_text(text)
    os.replace(aside, path)
