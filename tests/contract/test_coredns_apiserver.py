"""The DNS server, its own process, following a real apiserver."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.apiserver import REPOSITORY, Kubectl, running_apiserver
from tests.support.dns import parse_dig, run_dig
from tests.support.ports import free_ports

pytestmark = pytest.mark.etcd
WITHIN_S = 60

COREFILE = """.:{port} {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:{health} {{
       lameduck 1s
    }}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
       endpoint {url}
       tls {cert} {key} {ca}
       ttl 30
    }}
    cache 30
}}
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.244.1.5], hostname: web-0, conditions: {ready: true}}
- {addresses: [10.244.1.6], conditions: {ready: false}}
"""


async def eventually(port: int, wanted: list[str], *arguments: str) -> None:
    data: list[str] = ["nothing was asked"]
    try:
        async with asyncio.timeout(WITHIN_S):
            while data != wanted:
                answer = parse_dig(await run_dig("-p", str(port), "@127.0.0.1", "+tries=1", "+time=1", *arguments))
                data = answer.data if answer.status == "NOERROR" else [answer.status]
    except TimeoutError:
        pytest.fail(f"not in {WITHIN_S} s: {wanted}, but {data}")


@pytest.mark.req("DNS-02", "DNS-04", "DNS-11")
async def test_names_follow_the_api(tmp_path: Path) -> None:
    port, health = free_ports(2)
    async with running_apiserver(tmp_path) as apiserver:
        kubectl = Kubectl(apiserver.kubeconfig())
        who = apiserver.pki.identity("kubernetes-admin", ["system:masters"])
        path = tmp_path / "Corefile"
        path.write_text(COREFILE.format(port=port, health=health, url=apiserver.url, cert=who.cert_file, key=who.key_file, ca=who.ca_file))
        with (tmp_path / "coredns.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "addons.coredns.app", "-conf", str(path), cwd=REPOSITORY, stderr=log,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )
        try:
            await eventually(port, ["10.96.0.1"], "kubernetes.default.svc.cluster.local")
            await eventually(port, ["NXDOMAIN"], "web.default.svc.cluster.local")
            await kubectl("create", "service", "clusterip", "web", "--clusterip=None")
            await kubectl("create", "-f", "-", stdin=SLICE)
            await eventually(port, ["10.244.1.5"], "web.default.svc.cluster.local")
            await eventually(port, ["0 100 8080 web-0.web.default.svc.cluster.local."], "SRV", "_http._tcp.web.default.svc.cluster.local")
            await kubectl("delete", "service", "web")
            await eventually(port, ["NXDOMAIN"], "web.default.svc.cluster.local")

            await apiserver.kill()
            await eventually(port, ["10.96.0.1"], "kubernetes.default.svc.cluster.local")
            await apiserver.start()
            await kubectl("create", "service", "clusterip", "again", "--tcp=80", "--clusterip=10.96.3.3")
            await eventually(port, ["10.96.3.3"], "again.default.svc.cluster.local")

            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            await eventually(port, ["10.96.3.3"], "again.default.svc.cluster.local")
            code = await process.wait()
            lameduck_s = time.monotonic() - started
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert code == 0
    assert lameduck_s >= 1
