"""Asks every kubelet, each resolution, all at once; one that does not answer is left out of the round."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from addons.metrics_server.parsing import parse
from addons.metrics_server.storage import Batch, Storage
from kube.api.core_v1 import Node
from kube.client.http_connection import HttpServer
from kube.process.log import get_logger

TARGET = "/metrics/resource"
TIMEOUT_S = 10.0
KUBELET_PORT = 10250
log = get_logger("scraper")


class Scraper:
    """`token_file`: a ServiceAccount's, who may get nodes/metrics."""

    def __init__(
        self, nodes: Callable[[], Sequence[Node]], storage: Storage, context: ssl.SSLContext, token_file: Path, resolution_s: float,
    ) -> None:
        self._nodes = nodes
        self._storage = storage
        self._context = context
        self._token_file = token_file
        self._resolution_s = resolution_s
        self._servers: dict[tuple[str, str, int], HttpServer] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began = time.monotonic()
            await self.scrape()
            await asyncio.sleep(max(0.0, self._resolution_s - (time.monotonic() - began)))

    async def scrape(self) -> None:
        nodes = {identity: node for node in self._nodes() if (identity := _identity(node)) is not None}
        for gone in self._servers.keys() - nodes.keys():
            await self._servers.pop(gone).close()
        whole = Batch()
        for part in await asyncio.gather(*(self._ask(*identity) for identity in nodes)):
            whole.nodes |= part.nodes
            whole.pods |= part.pods
        self._storage.store(whole)

    async def _ask(self, name: str, address: str, port: int) -> Batch:
        server = self._servers.get((name, address, port))
        if server is None:          # its certificate is for its name, wherever it is
            server = HttpServer(f"https://{name}:{port}", self._context, address=(address, port))
            self._servers[name, address, port] = server
        headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}", "Accept": "text/plain"}
        try:
            async with asyncio.timeout(TIMEOUT_S), server.request("GET", TARGET, headers) as answer:
                text = (await answer.read()).decode(errors="replace")
        except OSError as error:    # a TimeoutError is one, too
            log.error("failed to scrape node", node=name, error=str(error) or "no answer")
            return Batch()
        if answer.status != 200:
            log.error("failed to scrape node", node=name, status=answer.status, answer=text[:200])
            return Batch()
        return parse(text, name, time.time())


def _identity(node: Node) -> tuple[str, str, int] | None:
    address = next((each.address for each in node.status.addresses if each.type == "InternalIP"), "")
    endpoints = node.status.daemon_endpoints
    port = endpoints.kubelet_endpoint.port if endpoints and endpoints.kubelet_endpoint else None
    return (node.metadata.name, address, port or KUBELET_PORT) if address else None
