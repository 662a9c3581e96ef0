"""The administrator's client to a cluster of this machine."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from kube.client.client import Client
from kube.client.rest_transport import RestTransport
from kube.process.config import TlsFiles
from kube.process.tls import client_context


@asynccontextmanager
async def admin_client(server: str, tls: TlsFiles) -> AsyncIterator[Client]:
    transport = RestTransport.connect(server, ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file)
    async with Client(transport, field_manager="kubonsai") as client:
        yield client


async def wait_for_api(server: str, tls: TlsFiles, timeout_s: float) -> None:
    """Until /readyz says ok. Raises TimeoutError with what it said last."""
    context: ssl.SSLContext = client_context(tls)
    last = "nothing listens"
    try:
        async with asyncio.timeout(timeout_s), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{server}/readyz?verbose", ssl=context, timeout=aiohttp.ClientTimeout(total=2)) as answer:
                        if answer.status == 200:
                            return
                        last = " ".join(line for line in (await answer.text()).splitlines() if line.startswith("[-]"))
                except (aiohttp.ClientError, TimeoutError) as error:
                    last = str(error) or "no answer in 2 s"
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"the API at {server} is not ready after {timeout_s:.0f} s: {last}") from None
