"""`status`: what runs, where, since when and how large; the nodes; the Pods. Reads only."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec

from kube.api.core_v1 import Node as ApiNode
from kube.api.core_v1 import Pod
from kube.apimachinery import errors
from kube.process.config import TlsFiles
from launcher.cluster.access import admin_client
from launcher.cluster.errors import ZygoteUnavailable
from launcher.cluster.layout import Layout
from launcher.cluster.readiness import has_condition
from launcher.cluster.zygote_client import ProcessState, Request, ask, recorded_processes

UNHEALTHY = "unhealthy"
PATIENCE_S = 5.0


class ProcessInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    node: str
    pid: int
    uptime_seconds: float
    memory_bytes: int           # proportional set size: shared pages count by their share
    restarts: int
    log_file: str
    note: str = ""              # what else is to be said of it: "unhealthy"


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    address: str
    ready: bool
    pods: int


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    context: str
    server: str
    processes: list[ProcessInfo]
    nodes: list[NodeInfo]
    pods: dict[str, int]        # phase -> count
    logs: str                   # where they are
    error: str = ""             # why the API did not answer

    @property
    def whole(self) -> bool:
        """Whether all that should run does."""
        well = all(process.pid and process.note != UNHEALTHY for process in self.processes)
        return not self.error and bool(self.processes) and well and all(node.ready for node in self.nodes)


def proportional_set_size(pid: int) -> int:
    """Bytes; 0 when the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def cluster_status(layout: Layout) -> ClusterStatus:
    port_file = layout.state / "api-port"
    server = f"https://127.0.0.1:{port_file.read_text()}" if port_file.exists() else ""
    tls = TlsFiles(cert_file=str(layout.pki / "admin.crt"), key_file=str(layout.pki / "admin.key"), ca_file=str(layout.pki / "ca.crt"))
    nodes, pods, error = asyncio.run(api_view(server, tls))
    return ClusterStatus(
        name=layout.name, context=layout.settings.context, server=server, processes=processes(layout), nodes=nodes, pods=pods,
        logs=str(layout.logs), error=error,
    )


def processes(layout: Layout) -> list[ProcessInfo]:
    states: list[ProcessState] = []
    try:
        reply = ask(layout.run / "zygote.sock", Request(op="list"), timeout_s=3.0)
        states = list(reply.processes)
        zygote = [state for state in recorded_processes(layout.process_table) if state.name == "zygote"]
    except ZygoteUnavailable:
        zygote = recorded_processes(layout.process_table)
    return [_info(state) for state in sorted([*states, *zygote], key=lambda state: (state.node, state.name))]


def _info(state: ProcessState) -> ProcessInfo:
    return ProcessInfo(
        name=state.name, node=state.node, pid=state.pid, restarts=state.restarts, log_file=state.log_file,
        uptime_seconds=round(time.time() - state.started_at, 1) if state.pid and state.started_at else 0.0,
        memory_bytes=proportional_set_size(state.pid) if state.pid else 0,
    )


async def api_view(server: str, tls: TlsFiles) -> tuple[list[NodeInfo], dict[str, int], str]:
    """Nodes, Pods by phase, and why there are neither: "" when the API answered."""
    try:
        async with asyncio.timeout(PATIENCE_S), admin_client(server, tls) as client:
            nodes, pods = (await client.list(ApiNode)).items, (await client.list(Pod)).items
    except (errors.ApiError, OSError, TimeoutError) as error:
        return [], {}, str(error) or f"nothing was heard within {PATIENCE_S:g} s"
    phases: dict[str, int] = {}
    per_node: dict[str, int] = {}
    for pod in pods:
        phases[pod.status.phase] = phases.get(pod.status.phase, 0) + 1
        per_node[pod.spec.node_name] = per_node.get(pod.spec.node_name, 0) + 1
    return [_node(node, per_node) for node in nodes], phases, ""


def _node(node: ApiNode, pods: dict[str, Any]) -> NodeInfo:
    address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
    return NodeInfo(name=node.metadata.name, address=address, ready=has_condition(node, "Ready"), pods=pods.get(node.metadata.name, 0))
