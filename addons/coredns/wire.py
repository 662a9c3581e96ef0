"""DNS messages as bytes: reading a query's frame, packing a reply within a size, finding the records of a packed one."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from dnslib import EDNS0, RR, DNSHeader, DNSQuestion, DNSRecord

from addons.coredns.message import OPT, Reply, Request

MAX_UDP: Final = 512                    # without EDNS
OUR_UDP_SIZE: Final = 1232              # what we announce; fits every path without fragments
TCP_LIMIT: Final = 65535
SIZE_CLASSES: Final = (512, 1232, 4096)
_OPT_START: Final = b"\x00\x00\x29"
_ONE_QUESTION: Final = b"\x00\x01\x00\x00\x00\x00"


class Frame(NamedTuple):
    """The shape of an ordinary query. `question_end` is where the question stops; `limit` what the reply may measure."""

    question_end: int
    limit: int
    dnssec_ok: bool
    edns: bool


def read_frame(query: bytes) -> Frame | None:
    """None for anything but one question with at most an OPT record of version 0: those are parsed the long way."""
    if len(query) < 17 or query[4:10] != _ONE_QUESTION or query[2] & 0xF8:
        return None
    end = query.find(0, 12) + 5
    extra = query[10:12]
    if extra == b"\x00\x00":
        return Frame(end, MAX_UDP, False, False) if end == len(query) else None
    if extra != b"\x00\x01" or query[end: end + 3] != _OPT_START or len(query) < end + 11 or query[end + 6]:
        return None
    size, _, _, flags, length = struct.unpack_from("!HBBHH", query, end + 3)
    if len(query) != end + 11 + length:
        return None
    return Frame(end, size_class(size), bool(flags & 0x8000), True)


def size_class(size: int) -> int:
    """The largest class not above what the client takes: answers are cached per class."""
    return max((each for each in SIZE_CLASSES if each <= size), default=MAX_UDP)


def pack_reply(request: Request, reply: Reply, query_id: int, *, edns: bool, checking_disabled: bool = False) -> bytes:
    """Within request.size_limit; what does not fit is left out and TC is set (only additional records: without TC)."""
    answers, authority, additional = list(reply.answers), list(reply.authority), list(reply.additional)
    truncated = reply.truncated
    while True:
        packed = _pack(request, reply, query_id, (answers, authority, additional), truncated, edns, checking_disabled)
        if len(packed) <= request.size_limit:
            return packed
        if additional:
            additional = additional[: len(additional) // 2]
        elif authority:
            authority = []
        elif answers:
            answers = answers[: len(answers) * request.size_limit // len(packed)] if len(answers) > 1 else []
            truncated = True
        else:
            return packed


def _pack(
    request: Request, reply: Reply, query_id: int, sections: tuple[list[RR], list[RR], list[RR]], truncated: bool, edns: bool,
    checking_disabled: bool,
) -> bytes:
    answers, authority, additional = sections
    header = DNSHeader(
        id=query_id, qr=1, aa=int(reply.authoritative), tc=int(truncated), rd=int(request.recursion_desired),
        ra=int(reply.recursion_available), cd=int(checking_disabled), rcode=reply.rcode & 0xF,
    )
    if edns:
        flags = "do" if request.dnssec_ok else ""
        additional = [*additional, EDNS0(udp_len=OUR_UDP_SIZE, flags=flags, ext_rcode=reply.rcode >> 4)]
    question = DNSQuestion(request.asked, request.qtype, request.qclass)
    return bytes(DNSRecord(header, questions=[question], rr=answers, auth=authority, ar=additional).pack())


class RecordSpan(NamedTuple):
    """Where a record stands in a packed message."""

    start: int
    end: int
    rtype: int
    ttl_at: int
    section: int            # 0 answer, 1 authority, 2 additional


def record_spans(message: bytes, question_end: int) -> list[RecordSpan]:
    counts = struct.unpack_from("!HHH", message, 6)
    spans = []
    position = question_end
    for section, number in enumerate(counts):
        for _ in range(number):
            start = position
            while message[position]:
                if message[position] >= 0xC0:
                    position += 1
                    break
                position += message[position] + 1
            position += 1
            rtype, _, _, length = struct.unpack_from("!HHIH", message, position)
            end = position + 10 + length
            if rtype != OPT:
                spans.append(RecordSpan(start, end, rtype, position + 4, section))
            position = end
    return spans
