"""Composition root: `python3 -m addons.metrics_server.app`, in a Pod with a ServiceAccount. Flags as metrics-server's."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import ssl
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from addons.metrics_server import certificate
from addons.metrics_server.access import Access, FrontProxy, read_front_proxy
from addons.metrics_server.api import MetricsApi
from addons.metrics_server.scraper import Scraper
from addons.metrics_server.storage import Storage
from addons.metrics_server.web import serve
from kube.api.core_v1 import Node, Pod
from kube.apimachinery.errors import ApiError
from kube.client.client import Client
from kube.client.delegated_auth import DelegatedAuth
from kube.client.informer import InformerFactory
from kube.client.objects import PartialObjectMetadata, resource_of
from kube.client.rest_transport import SERVICE_ACCOUNT_DIR, RestTransport
from kube.process.log import LineFormatter, get_logger

MIN_RESOLUTION_S = 10
RETRY_S = 1.0
log = get_logger("metrics-server")


async def run(port: int, resolution_s: float, stop: asyncio.Event) -> None:
    """Serves until `stop` is set."""
    folder = Path(tempfile.mkdtemp(prefix="metrics-server-"))
    context = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT_DIR / "ca.crt"))
    storage = Storage(resolution_s)
    async with Client(RestTransport.in_cluster()) as client, InformerFactory(client) as informers:
        nodes = informers.informer(Node)
        pods = informers.metadata_informer(resource_of(Pod), PartialObjectMetadata, field_selector="status.phase=Running")
        made = asyncio.create_task(certificate.make(folder / "serving.pem"), name="certificate")
        await informers.start()
        tls = await _server_context(client, folder / "serving.pem", made)
        access = Access(tls[1], DelegatedAuth(client, anonymous=False))
        await informers.wait_synced()
        api = MetricsApi(
            access, storage, lambda: [node.metadata for node in nodes.store.list()], lambda: [pod.metadata for pod in pods.store.list()])
        scraper = Scraper(nodes.store.list, storage, context, SERVICE_ACCOUNT_DIR / "token", resolution_s)
        async with serve("0.0.0.0", port, tls[0], api.handle), asyncio.TaskGroup() as tasks:
            log.info("serving", port=port)
            scraping = tasks.create_task(scraper.run(), name="scraping")
            await stop.wait()
            scraping.cancel()


async def _server_context(client: Client, file: Path, made: asyncio.Task[None]) -> tuple[ssl.SSLContext, FrontProxy]:
    while True:
        try:
            proxy = await read_front_proxy(client)
            break
        except ApiError as error:       # the right to read it may come a moment after the Pod
            log.warning("the front proxy is not known yet", error=str(error))
            await asyncio.sleep(RETRY_S)
    await made
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(str(file))
    if proxy.ca:
        context.load_verify_locations(cadata=proxy.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context, proxy


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="metrics-server")
    parser.add_argument("--secure-port", type=int, default=10250)
    parser.add_argument("--metric-resolution", default="15s", help="how often kubelets are asked, at least 10s (default %(default)s)")
    options = parser.parse_args(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    text = options.metric_resolution
    if not text.removesuffix("s").isdigit() or (seconds := int(text.removesuffix("s"))) < MIN_RESOLUTION_S:
        parser.error(f"metric-resolution should be a time duration at least {MIN_RESOLUTION_S}s, but value {text} provided")

    async def live() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run(options.secure_port, seconds, stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
