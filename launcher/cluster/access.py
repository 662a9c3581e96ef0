"""The administrator's client to a cluster of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kube.client.client import Client
from kube.client.http_connection import HttpServer
from kube.client.rest_transport import RestTransport
from kube.process.config import TlsFiles
from kube.process.tls import client_context

ANSWER_TIMEOUT_S = 2.0
POLL_S = 0.02


@asynccontextmanager
async def admin_client(server: str, tls: TlsFiles) -> AsyncIterator[Client]:
    transport = RestTransport.connect(server, ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file)
    async with Client(transport, field_manager="kubonsai") as client:
        yield client


async def wait_for_api(server: str, tls: TlsFiles, timeout_s: float) -> None:
    """Until /readyz says ok. Raises TimeoutError with what it said last."""
    api = HttpServer(server, client_context(tls))
    last = "nothing listens"
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    async with asyncio.timeout(ANSWER_TIMEOUT_S), api.request("GET", "/readyz?verbose", {}) as answer:
                        text = (await answer.read()).decode()
                    if answer.status == 200:
                        return
                    last = " ".join(line for line in text.splitlines() if line.startswith("[-]"))
                except OSError as error:
                    last = str(error) or f"no answer in {ANSWER_TIMEOUT_S:g} s"
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise TimeoutError(f"the API at {server} is not ready after {timeout_s:.0f} s: {last}") from None
    finally:
        await api.close()
