"""`addons`: what makes the running control plane a cluster. Nodes may join, the addons are there, the control plane's node has its role.

It may run again at any time, and does with each `docker compose up`: what is there and right stays as it is.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from kube.api.core_v1 import Node
from kube.client.informer import InformerFactory
from kube.process.config import TlsFiles
from launcher.cluster.access import admin_client, wait_for_api
from launcher.cluster.join import bootstrap_objects, cluster_info
from launcher.cluster.readiness import CONTROL_PLANE_LABELS, addon_manifests, apply, label_nodes
from launcher.compose import paths

TIMEOUT_S = 60.0


def server() -> str:
    return f"https://{paths.CONTROL_PLANE}:{paths.API_PORT}"


def admin() -> TlsFiles:
    files = paths.PKI
    return TlsFiles(cert_file=str(files / "admin.crt"), key_file=str(files / "admin.key"), ca_file=str(files / "ca.crt"))


def main(argv: Sequence[str] | None = None) -> int:
    try:
        asyncio.run(_apply())
    except TimeoutError as error:
        print(f"addons: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _apply() -> None:
    await wait_for_api(server(), admin(), TIMEOUT_S)
    token = (paths.PKI / "bootstrap-token").read_text().strip()
    async with admin_client(server(), admin()) as client, InformerFactory(client) as informers:
        nodes = informers.informer(Node)
        await informers.start()
        await apply(client, [*bootstrap_objects(token), *cluster_info(server(), admin().ca_file), *addon_manifests(paths.DNS_IP)])
        await label_nodes(client, nodes, {paths.CONTROL_PLANE: CONTROL_PLANE_LABELS})
