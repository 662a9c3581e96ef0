"""A server whose machine is gone without a word: no FIN, no reset, no answer to ARP. The REST client must not wait for it long."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from kube.client.http_connection import BadAnswer, HttpServer
from netns import namespaces
from netns.kernel import KernelThread
from tests.support import witness
from tests.support.kernel_lab import Lab

pytestmark = pytest.mark.kernel

WATCH = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n"


async def follow(address: str, server: str) -> float:
    """Reads a watch of which nothing comes any more, since its server vanished; how long that took to see, in seconds."""
    client = HttpServer(f"http://{address}:8080")
    try:
        async with client.request("GET", "/watch", {}) as answer:
            assert await anext(answer.body) == b"a\n"
            await asyncio.to_thread(witness.ip_json, "-n", server, "link", "set", "eth0", "down")
            started = asyncio.get_running_loop().time()
            with pytest.raises(BadAnswer):
                async with asyncio.timeout(30):
                    await anext(answer.body)
            return asyncio.get_running_loop().time() - started
    finally:
        await client.close()


async def test_a_watch_ends_when_its_server_vanished(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab, KernelThread() as kernel:
        server, client = await lab.outsider(100), await lab.outsider(101)
        listener = await lab.socket(server)
        listener.bind(("172.30.0.100", 8080))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(WATCH)
            try:
                await reader.read()
            finally:
                writer.transport.abort()

        serving = await asyncio.start_server(serve, sock=listener)
        try:
            took_s = await kernel.run_in(namespaces.path_of(client), partial(_run, "172.30.0.100", server))
        finally:
            serving.close()

    assert took_s < 15


def _run(address: str, server: str) -> float:
    return asyncio.run(follow(address, server))
