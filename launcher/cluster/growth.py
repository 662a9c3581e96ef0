"""How a cluster grows once its zygote is on its way: certificates, machines, processes, addons, until it is Ready."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from launcher.cluster import cgroups, kubeconfig, machines, readiness
from launcher.cluster.access import admin_client, wait_for_api
from launcher.cluster.errors import UpFailed, ZygoteUnavailable
from launcher.cluster.layout import IMAGES, Layout
from launcher.cluster.pki import ensure_pki
from launcher.cluster.plan import Planner
from launcher.cluster.progress import Progress
from launcher.cluster.registry import MachineRegistry
from launcher.cluster.zygote_client import ProcessSpec, Request, ask

ZYGOTE_TIMEOUT_S = 30.0
API_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 120.0


class Growth:
    """Every step is idempotent: it brings what is missing."""

    def __init__(self, layout: Layout, server: str) -> None:
        self.layout = layout
        self.server = server
        self.nodes = [node for node, running in MachineRegistry(layout).nodes() if running]
        machines.prepare_host(layout)
        self.pki = ensure_pki(layout)

    def start_processes(self) -> None:
        """The control plane's as soon as its machine is there, each other machine's after that."""
        layout = self.layout
        for folder in (layout.config, IMAGES):
            folder.mkdir(parents=True, exist_ok=True)
        cgroups.create(layout.cgroup)
        planner = Planner(layout, self.pki)
        for node in self.nodes:
            machines.create(layout, node)
            if node.control_plane:
                _ensure_processes(layout, planner.control_plane())
        agents = [spec for node in self.nodes for spec in planner.agents(node)]
        _ensure_processes(layout, [*agents, planner.supervisor()])

    def write_kubeconfigs(self) -> None:
        """One per identity, for people; the components themselves speak gRPC with the same certificates."""
        layout, pki = self.layout, self.pki
        identities = {
            "admin.conf": pki.admin, "scheduler.conf": pki.scheduler, "controller-manager.conf": pki.controller_manager,
            "cloud-controller-manager.conf": pki.cloud_controller_manager,
        }
        for name, tls in identities.items():
            user = layout.settings.user if name == "admin.conf" else name.removesuffix(".conf")
            kubeconfig.write(layout.kubeconfigs / name, kubeconfig.document(layout.settings.context, self.server, tls, user))

    async def finish(self, progress: Progress) -> None:
        """Until nodes and DNS are Ready. Raises UpFailed, NotReady."""
        addons = readiness.addon_manifests(self.layout)
        with progress.step(f"the API answers at {self.server}"):
            try:
                await wait_for_api(self.server, self.pki.admin, API_TIMEOUT_S)
            except TimeoutError as error:
                raise UpFailed(f"{error}; see {self.layout.logs}") from error
        async with admin_client(self.server, self.pki.admin) as client:
            labelling = asyncio.create_task(readiness.label_nodes(client, self._labels()), name="label nodes")
            try:
                with progress.step("applying the addons"):
                    await readiness.apply(client, addons)
                with progress.step(f"{len(self.nodes)} nodes are Ready"):
                    await readiness.wait_for_nodes(client, {node.name for node in self.nodes}, READY_TIMEOUT_S)
                    await labelling
                with progress.step("cluster DNS is Ready"):
                    await readiness.wait_for_dns(client, READY_TIMEOUT_S)
            finally:
                labelling.cancel()

    def merge_kubeconfig(self) -> Path:
        """Into the user's own; returns which file that is."""
        settings, target = self.layout.settings, kubeconfig.user_file()
        kubeconfig.merge(target, kubeconfig.document(settings.context, self.server, self.pki.admin, settings.user))
        return target

    def _labels(self) -> dict[str, dict[str, str]]:
        labels = {node.name: dict(self.layout.settings.node_labels.get(node.name, {})) for node in self.nodes}
        labels["node1"] |= {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
        return labels


def _ensure_processes(layout: Layout, specs: list[ProcessSpec]) -> None:
    deadline = time.monotonic() + ZYGOTE_TIMEOUT_S
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
