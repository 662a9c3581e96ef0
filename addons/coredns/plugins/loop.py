"""loop: finds out whether forwarded questions come back to this server, and ends it then. Follows CoreDNS's loop.

Two seconds after the start it asks itself a question that nobody else can know. It passes through the chain once; when it comes back
often, the upstream is this server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from dnslib import DNSRecord

from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import CorefileError, Directive
from addons.coredns.message import HINFO, Handler, Reply, Request
from addons.coredns.runtime import Runtime

PROBE_AFTER_S = 2.0
PROBE_TIMEOUT_S = 5.0
MAX_SEEN = 2


class Probe:
    """The question of one server block, and how often it was seen."""

    def __init__(self, zone: str, port: int, host: str) -> None:
        below = "" if zone == "." else zone
        self.name = f"{random.getrandbits(63)}.{random.getrandbits(63)}.{below}"
        self.zone, self.host, self.port = zone, host, port
        self.seen = 0
        self.over = False


class Loop:
    name = "loop"

    def __init__(self, probe: Probe, runtime: Runtime, following: Handler) -> None:
        self._probe = probe
        self._runtime = runtime
        self._next = following

    async def serve(self, request: Request) -> Reply:
        probe = self._probe
        if not probe.over and request.qtype == HINFO and request.name == probe.name:
            probe.seen += 1
            if probe.seen > MAX_SEEN:
                self._runtime.fail(CorefileError(
                    f'Loop ({probe.host} -> :{probe.port}) detected for zone "{probe.zone}", see '
                    f'https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO {probe.name}"'
                ))
        return await self._next.serve(request)


def setup(directive: Directive, setup: Setup) -> Wrap:
    if directive.args or directive.block:
        raise directive.wrong_arguments()
    host = setup.addresses[0] if setup.addresses else "127.0.0.1"
    probe = Probe(setup.zone, setup.port, host)
    # The key holds no random part: after a reload the running probe stays the one.
    probe = setup.runtime.shared(("loop", setup.zone, host, setup.port), lambda: probe)
    setup.services["loop", setup.zone, host, setup.port] = partial(_send_probe, probe)
    return partial(Loop, probe, setup.runtime)


@asynccontextmanager
async def _send_probe(probe: Probe) -> AsyncIterator[None]:
    task = asyncio.create_task(_probe(probe), name="loop probe")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _probe(probe: Probe) -> None:
    await asyncio.sleep(PROBE_AFTER_S)
    query = bytes(DNSRecord.question(probe.name, "HINFO").pack())
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(probe.host, probe.port))
    try:
        transport.sendto(query)
        await asyncio.sleep(PROBE_TIMEOUT_S)
        probe.over = True
    finally:
        transport.close()
