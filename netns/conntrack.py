"""Forgetting UDP flows: deleting entries of the kernel's connection table, over CTNETLINK. In the namespace of the calling thread."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from netns.netlink import NETLINK_NETFILTER, NetlinkSocket, Request, attribute, attributes, nested

_GET: Final = 1 << 8 | 1
_DELETE: Final = 1 << 8 | 2
_TUPLE_ORIGINAL, _TUPLE_REPLY, _FILTER = 1, 2, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_SOURCE, _IP_DESTINATION = 1, 2
_PROTO_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_FILTER_ORIGINAL, _FILTER_REPLY = 1, 2
_BY_ADDRESS, _BY_PROTOCOL, _BY_PORT = 1 << 1, 1 << 3, 1 << 5
_HEADER: Final = struct.pack("=BBH", socket.AF_INET, 0, 0)
_ONE_BY_ONE: Final = 8              # up to so many destinations are asked for singly; for more the whole table is read once


class Socket(NamedTuple):
    """One end of a flow."""

    address: str
    port: int


class _Entry(NamedTuple):
    original: bytes                 # the tuple as the kernel wrote it: what deletes the entry
    destination: Socket             # where the client sent to
    answers: Socket                 # who answers


def forget_udp(answering: Mapping[Socket, Collection[Socket]]) -> int:
    """Of the flows to each destination, forgets those that anyone but the given ends answers; their next packet counts as a first.

    Returns how many there were.
    """
    if not answering:
        return 0
    with NetlinkSocket(NETLINK_NETFILTER) as conntrack:
        questions = [*answering] if len(answering) <= _ONE_BY_ONE else [None]
        stale = [
            entry.original
            for question in questions
            for entry in _entries(conntrack, question)
            if entry.destination in answering and entry.answers not in answering[entry.destination]
        ]
        for start in range(0, len(stale), 100):
            conntrack.perform([_deletion(original) for original in stale[start : start + 100]])
    return len(stale)


def _entries(conntrack: NetlinkSocket, destination: Socket | None) -> Iterator[_Entry]:
    # The filter spares most entries the way here (kernel 5.8 and later); one that ignores it sends all: the caller looks anyway.
    proto = attribute(_PROTO_NUMBER, bytes([socket.IPPROTO_UDP]))
    ip = b""
    by = _BY_PROTOCOL
    if destination is not None:
        by |= _BY_ADDRESS | _BY_PORT
        ip = attribute(_IP_DESTINATION, socket.inet_aton(destination.address))
        proto += attribute(_DESTINATION_PORT, struct.pack("!H", destination.port))
    wanted = nested(_TUPLE_ORIGINAL, nested(_TUPLE_IP, ip), nested(_TUPLE_PROTO, proto))
    only = nested(_FILTER, attribute(_FILTER_ORIGINAL, struct.pack("=I", by)), attribute(_FILTER_REPLY, bytes(4)))
    for payload in conntrack.dump(Request("list UDP flows", _GET, 0, _HEADER + wanted + only)):
        found = attributes(payload[len(_HEADER) :])
        original, reply = attributes(found[_TUPLE_ORIGINAL]), attributes(found[_TUPLE_REPLY])
        if attributes(original[_TUPLE_PROTO]).get(_PROTO_NUMBER) == bytes([socket.IPPROTO_UDP]):
            yield _Entry(
                found[_TUPLE_ORIGINAL],
                _end(original, _IP_DESTINATION, _DESTINATION_PORT),
                _end(reply, _IP_SOURCE, _SOURCE_PORT),
            )


def _end(tuple_: dict[int, bytes], address: int, port: int) -> Socket:
    (number,) = struct.unpack("!H", attributes(tuple_[_TUPLE_PROTO])[port])
    return Socket(socket.inet_ntoa(attributes(tuple_[_TUPLE_IP])[address]), number)


def _deletion(original: bytes) -> Request:
    return Request("delete a UDP flow", _DELETE, 0, _HEADER + nested(_TUPLE_ORIGINAL, original), tolerate=(errno.ENOENT,))
