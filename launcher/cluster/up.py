"""`up`: from nothing, or from what is left, to a Ready cluster. Every step is idempotent, so that a second `up` repairs."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from kube.process.config import ConfigError
from launcher.cluster import cgroups, kubeconfig, machines, readiness
from launcher.cluster.access import admin_client, wait_for_api
from launcher.cluster.errors import UpFailed, ZygoteUnavailable
from launcher.cluster.layout import IMAGES, Layout
from launcher.cluster.pki import ClusterPki, ensure_node_identities, ensure_pki
from launcher.cluster.plan import Planner
from launcher.cluster.registry import MachineRegistry
from launcher.cluster.state import save_settings
from launcher.cluster.zygote_client import ProcessSpec, Request, ask, end_leftovers

DEFAULT_API_PORT = 6443
READY_TIMEOUT_S = 120.0
API_HOST = "127.0.0.1"
USER = "admin"


class Progress(Protocol):
    """Where `up` and `down` tell what they do."""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """One line for the step, with the time it took."""


@dataclass(frozen=True, slots=True)
class RunningCluster:
    layout: Layout
    server: str                  # https://127.0.0.1:6443
    created: bool                # False: it was there and was repaired
    context: str
    kubeconfig: Path


def up(layout: Layout, progress: Progress) -> RunningCluster:
    """Brings the cluster up, or what is missing of it. The caller holds the cluster's lock. Raises UpFailed, ConfigError."""
    created = not layout.settings_file.exists()
    with progress.step("preparing machines, certificates and the fabric"):
        save_settings(layout)
        machines.prepare_host(layout)
        cgroups.create(layout.cgroup)
        port = _ensure_zygote(layout)
        pki = ensure_pki(layout)
        _write_kubeconfigs(layout, pki, port)
        specs = _prepare_nodes(layout, pki)
    server = f"https://{API_HOST}:{port}"
    with progress.step(f"starting {len(specs)} processes"):
        _ensure_processes(layout, specs)
    with progress.step(f"the API answers at {server}"):
        _wait_for_api(layout, server, pki)
    asyncio.run(_finish(layout, server, pki, progress))
    target = kubeconfig.user_file()
    kubeconfig.merge(target, kubeconfig.document(layout.settings.context, server, pki.admin, user_entry(layout)))
    return RunningCluster(layout, server, created, layout.settings.context, target)


def user_entry(layout: Layout) -> str:
    return f"{layout.settings.context}-{USER}"


def _wait_for_api(layout: Layout, server: str, pki: ClusterPki) -> None:
    try:
        asyncio.run(wait_for_api(server, pki.admin, 60.0))
    except TimeoutError as error:
        raise UpFailed(f"{error}; see {layout.logs}") from error


async def _finish(layout: Layout, server: str, pki: ClusterPki, progress: Progress) -> None:
    nodes = [node for node, running in MachineRegistry(layout).nodes() if running]
    labels = {node.name: dict(layout.settings.node_labels.get(node.name, {})) for node in nodes}
    labels["node1"] |= {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
    async with admin_client(server, pki.admin) as client:
        labelling = asyncio.create_task(readiness.label_nodes(client, labels), name="label nodes")
        try:
            with progress.step("applying the addons"):
                await readiness.apply(client, readiness.addon_manifests(layout))
            with progress.step(f"{len(nodes)} nodes are Ready"):
                await readiness.wait_for_nodes(client, {node.name for node in nodes}, READY_TIMEOUT_S)
                await labelling
            with progress.step("cluster DNS is Ready"):
                await readiness.wait_for_dns(client, READY_TIMEOUT_S)
        finally:
            labelling.cancel()


def _prepare_nodes(layout: Layout, pki: ClusterPki) -> list[ProcessSpec]:
    layout.config.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    planner = Planner(layout, pki)
    specs = [planner.supervisor()]
    for node, running in MachineRegistry(layout).nodes():
        if running:
            machines.create(layout, node)
            specs += planner.control_plane() if node.control_plane else []
            specs += planner.agents(node)
    return specs


def _write_kubeconfigs(layout: Layout, pki: ClusterPki, port: int) -> None:
    """One per identity, for people; the components themselves speak gRPC with the same certificates."""
    server = f"https://{API_HOST}:{port}"
    identities = {
        "admin.conf": pki.admin, "scheduler.conf": pki.scheduler, "controller-manager.conf": pki.controller_manager,
        "cloud-controller-manager.conf": pki.cloud_controller_manager,
    }
    for node, _ in MachineRegistry(layout).nodes():
        agents = ensure_node_identities(layout, pki.ca, node)
        identities |= {f"kubelet-{node.name}.conf": agents.kubelet, f"kube-proxy-{node.name}.conf": agents.proxy}
    for name, tls in identities.items():
        user = user_entry(layout) if name == "admin.conf" else name.removesuffix(".conf")
        kubeconfig.write(layout.kubeconfigs / name, kubeconfig.document(layout.settings.context, server, tls, user))


def _ensure_zygote(layout: Layout) -> int:
    """A zygote that answers; returns the API's port on the host."""
    port_file = layout.state / "api-port"
    zygote_socket = layout.run / "zygote.sock"
    try:
        ask(zygote_socket, Request(op="list"), timeout_s=3.0)
        return int(port_file.read_text())
    except (ZygoteUnavailable, OSError, ValueError):
        pass
    end_leftovers(layout.process_table)
    zygote_socket.unlink(missing_ok=True)
    listener = open_api_socket(layout, port_file)
    with listener, (layout.logs / "zygote.log").open("ab") as log:
        arguments = ["--cluster", layout.name, "--run-dir", str(layout.run), "--api-socket", str(listener.fileno())]
        subprocess.Popen(
            [sys.executable, "-m", "launcher.cluster.zygote", *arguments],
            preexec_fn=partial(cgroups.join, f"{layout.cgroup}/machine-room"),     # from its first instant on: `down` must find it
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[listener.fileno()], cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONSAFEPATH": "1"},
        )
        port: int = listener.getsockname()[1]
    port_file.write_text(str(port))
    return port


def open_api_socket(layout: Layout, port_file: Path) -> socket.socket:
    """Listens on the host's 127.0.0.1: on the port asked for, else the last one, 6443, or a free one."""
    wanted = layout.settings.api_port
    last = int(port_file.read_text()) if port_file.exists() else DEFAULT_API_PORT
    for port in (wanted,) if wanted else (last, DEFAULT_API_PORT, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((API_HOST, port))
            listener.listen(1024)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return listener
    raise ConfigError(f"port {wanted} on {API_HOST} is in use; give another one with --api-port, or none for a free one")


def _ensure_processes(layout: Layout, specs: list[ProcessSpec]) -> None:
    deadline = time.monotonic() + 30.0
    while True:
        try:
            reply = ask(layout.run / "zygote.sock", Request(op="ensure", specs=tuple(specs)))
            break
        except ZygoteUnavailable as error:
            if time.monotonic() > deadline:
                raise UpFailed(f"the supervisor does not start: {error}; see {layout.logs / 'zygote.log'}") from error
            time.sleep(0.005)
    if reply.error:
        raise UpFailed(f"the supervisor refused its plan: {reply.error}")
