"""`kubonsai wait`: until every node whose container runs, and cluster DNS, are Ready. For scripts: `docker compose exec apiserver ...`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from control_plane.cloud.records import read_records
from kube.api.core_v1 import Node, Pod
from kube.client.informer import InformerFactory
from launcher.cluster.access import admin_client, wait_for_api
from launcher.cluster.errors import NotReady
from launcher.cluster.readiness import DNS_SELECTOR, missing_dns, missing_nodes, until
from launcher.compose import paths
from launcher.compose.addons import admin, server


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="kubonsai wait", description="Returns when the cluster is Ready; 1 when it is not in time.")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--nodes", type=int, default=0, help="how many nodes there must be (default: those whose containers run)")
    options = parser.parse_args(argv)
    try:
        print(asyncio.run(_wait(options.nodes, options.timeout)))  # noqa: T201
    except (TimeoutError, NotReady) as error:
        print(f"kubonsai: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _wait(count: int, timeout_s: float) -> str:
    await wait_for_api(server(), admin(), timeout_s)
    async with admin_client(server(), admin()) as client, InformerFactory(client) as informers:
        nodes = informers.informer(Node)
        dns = informers.informer(Pod, namespace="kube-system", label_selector=DNS_SELECTOR)
        await informers.start()
        wanted = {record.name for record, running in read_records(paths.MACHINES) if running}

        def missing(held: list[Node]) -> str:
            too_few = f"{len(held)} of {count} nodes have registered" if len(held) < count else ""
            names = wanted | ({node.metadata.name for node in held} if count else set())
            return too_few or missing_nodes(names, held)

        await until(nodes, missing, timeout_s)
        await until(dns, missing_dns, timeout_s)
        return f"{max(len(wanted), count)} nodes and cluster DNS are Ready."
