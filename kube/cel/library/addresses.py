"""ip and cidr. Refused: zones, and IPv4 addresses mapped into IPv6."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.types import BOOL, CIDR, INT, IP, STRING

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Ip:
    address: Address

    cel_type_name = IP.name

    def cel_size(self) -> int:
        return self.address.max_prefixlen // 8

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class Cidr:
    """An address with the length of its network's prefix; bits behind the prefix are kept."""

    address: Address
    prefix: int

    cel_type_name = CIDR.name

    def cel_size(self) -> int:
        return -(-self.prefix // 8)

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"

    def network(self) -> int:
        return int(self.address) >> (self.address.max_prefixlen - self.prefix)

    def holds(self, other: Address) -> bool:
        return other.version == self.address.version and int(other) >> (other.max_prefixlen - self.prefix) == self.network()


def parse_ip(text: str) -> Ip:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        where = f'IP Address "{text}" parse error during conversion from string: '
        raise EvaluationError(f'{where}ParseAddr("{text}"): unable to parse IP') from None
    if "%" in text:
        raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return Ip(address)


def parse_cidr(text: str) -> Cidr:
    where = "network address parse error during conversion from string: "
    address, slash, bits = text.rpartition("/")
    if not slash:
        raise EvaluationError(f'{where}{where}netip.ParsePrefix("{text}"): no \'/\'')
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise EvaluationError(f'{where}{where}netip.ParsePrefix("{text}"): ParseAddr("{address}"): unable to parse IP') from None
    if "%" in address:
        raise EvaluationError(f'{where}{where}netip.ParsePrefix("{text}"): IPv6 zones cannot be present in a prefix')
    if not re.fullmatch(r"0|[1-9][0-9]{0,2}", bits, re.ASCII):
        raise EvaluationError(f'{where}{where}netip.ParsePrefix("{text}"): bad bits after slash: "{bits}"')
    if int(bits) > found.max_prefixlen:
        raise EvaluationError(f'{where}{where}netip.ParsePrefix("{text}"): prefix length out of range')
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        raise EvaluationError(f'{where}IPv4-mapped IPv6 address "{text}" is not allowed')
    return Cidr(found, int(bits))


def _is_ip(text: str) -> bool:
    try:
        parse_ip(text)
    except EvaluationError:
        return False
    return True


def _is_cidr(text: str) -> bool:
    try:
        parse_cidr(text)
    except EvaluationError:
        return False
    return True


def _contains_ip(cidr: Cidr, other: Ip | str) -> bool:
    return cidr.holds((parse_ip(other) if isinstance(other, str) else other).address)


def _contains_cidr(cidr: Cidr, other: Cidr | str) -> bool:
    found = parse_cidr(other) if isinstance(other, str) else other
    return cidr.prefix <= found.prefix and cidr.holds(found.address)


def _masked(cidr: Cidr) -> Cidr:
    shift = cidr.address.max_prefixlen - cidr.prefix
    return Cidr(type(cidr.address)(int(cidr.address) >> shift << shift), cidr.prefix)


def _is_global_unicast(value: Ip) -> bool:
    """Go's meaning: neither unspecified, loopback, multicast, link-local nor broadcast; private ones are."""
    address = value.address
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
                or address == ipaddress.IPv4Address("255.255.255.255"))


def _is_link_local_multicast(value: Ip) -> bool:
    if value.address.version == 4:
        return int(value.address) >> 8 == 0xE00000
    return int(value.address) >> 112 & 0xFF0F == 0xFF02


FUNCTIONS: Final[Table] = {
    "ip": [
        Overload("string_to_ip", (STRING,), IP, parse_ip),
        method("cidr_ip", (CIDR,), IP, lambda cidr: Ip(cidr.address)),
    ],
    "isIP": [Overload("is_ip", (STRING,), BOOL, _is_ip)],
    "ip.isCanonical": [Overload("ip_is_canonical", (STRING,), BOOL, lambda text: str(parse_ip(text).address) == text)],
    "family": [method("ip_family", (IP,), INT, lambda value: value.address.version)],
    "isUnspecified": [method("ip_is_unspecified", (IP,), BOOL, lambda value: value.address.is_unspecified)],
    "isLoopback": [method("ip_is_loopback", (IP,), BOOL, lambda value: value.address.is_loopback)],
    "isLinkLocalMulticast": [method("ip_is_link_local_multicast", (IP,), BOOL, _is_link_local_multicast)],
    "isLinkLocalUnicast": [method("ip_is_link_local_unicast", (IP,), BOOL, lambda value: value.address.is_link_local)],
    "isGlobalUnicast": [method("ip_is_global_unicast", (IP,), BOOL, _is_global_unicast)],
    "string": [
        Overload("ip_to_string", (IP,), STRING, str),
        Overload("cidr_to_string", (CIDR,), STRING, str),
    ],
    "cidr": [Overload("string_to_cidr", (STRING,), CIDR, parse_cidr)],
    "isCIDR": [Overload("is_cidr", (STRING,), BOOL, _is_cidr)],
    "containsIP": [
        method("cidr_contains_ip_string", (CIDR, STRING), BOOL, _contains_ip),
        method("cidr_contains_ip_ip", (CIDR, IP), BOOL, _contains_ip),
    ],
    "containsCIDR": [
        method("cidr_contains_cidr_string", (CIDR, STRING), BOOL, _contains_cidr),
        method("cidr_contains_cidr", (CIDR, CIDR), BOOL, _contains_cidr),
    ],
    "prefixLength": [method("cidr_prefix_length", (CIDR,), INT, lambda cidr: cidr.prefix)],
    "masked": [method("cidr_masked", (CIDR,), CIDR, _masked)],
}
