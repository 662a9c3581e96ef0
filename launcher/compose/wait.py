"""`kubonsai wait`: until every node whose container runs, and cluster DNS, are Ready. For scripts: `docker compose exec apiserver ...`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sys
from collections.abc import Sequence
from functools import partial

from kube.api.core_v1 import Node, Pod
from kube.client.informer import InformerFactory
from launcher.cluster.access import admin_client, wait_for_api
from launcher.cluster.errors import NotReady
from launcher.cluster.readiness import DNS_SELECTOR, has_condition, missing_dns, until
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
    machines = _machines()
    async with admin_client(server(), admin()) as client, InformerFactory(client) as informers:
        nodes = informers.informer(Node)
        dns = informers.informer(Pod, namespace="kube-system", label_selector=DNS_SELECTOR)
        await informers.start()
        await until(nodes, partial(_missing, count, machines), timeout_s)
        await until(dns, missing_dns, timeout_s)
        return f"{len(machines)} nodes and cluster DNS are Ready."


def _machines() -> set[str]:
    """The addresses of the nodes' containers that run: Docker's DNS has them from the moment when a container starts."""
    found: set[str] = set()
    for service in (paths.CONTROL_PLANE, paths.WORKERS):
        with contextlib.suppress(OSError):      # there may be no worker
            found.update(socket.gethostbyname_ex(service)[2])
    return found


def _missing(count: int, machines: set[str], nodes: list[Node]) -> str:
    """By address: a Node that is left of a container that is gone counts for nothing."""
    ready = {address.address for node in nodes if has_condition(node, "Ready") for address in node.status.addresses}
    if waiting := machines - ready:
        return f"no Ready node at {', '.join(sorted(waiting))}"
    return f"{len(machines)} of {count} nodes run" if len(machines) < count else ""
