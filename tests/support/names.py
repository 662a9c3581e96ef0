"""A DNS server for a test: answers A questions from a table that the test changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from dnslib import QTYPE, RCODE, RR, A, DNSRecord


class Names(asyncio.DatagramProtocol):
    """Addresses by name; a name that is not there does not exist."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.port = 0
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        question = DNSRecord.parse(data)
        reply, name = question.reply(), str(question.q.qname).rstrip(".")
        if name not in self.addresses:
            reply.header.rcode = RCODE.NXDOMAIN
        elif question.q.qtype == QTYPE.A:
            reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(self.addresses[name]), ttl=600))
        self._transport.sendto(reply.pack(), addr)


@asynccontextmanager
async def serving_names() -> AsyncIterator[Names]:
    transport, names = await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    try:
        yield names
    finally:
        transport.close()
