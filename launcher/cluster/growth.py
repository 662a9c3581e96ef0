"""A cluster's certificates, machines and processes, once its zygote is on its way."""

from __future__ import annotations

import time
from pathlib import Path

from launcher.cluster import cgroups, kubeconfig, machines
from launcher.cluster.errors import UpFailed, ZygoteUnavailable
from launcher.cluster.layout import IMAGES, Layout, Node
from launcher.cluster.pki import ensure_pki
from launcher.cluster.plan import Planner
from launcher.cluster.registry import MachineRegistry
from launcher.cluster.zygote_client import ProcessSpec, Request, ask

ZYGOTE_TIMEOUT_S = 30.0


class Growth:
    """Every step is idempotent: it makes what is missing."""

    def __init__(self, layout: Layout, server: str) -> None:
        self.layout = layout
        self.server = server
        self.nodes = [node for node, running in MachineRegistry(layout).nodes() if running or node.control_plane]
        machines.prepare_host(layout)
        self.pki = ensure_pki(layout)

    def start_processes(self) -> None:
        """The control plane's as soon as its machine is there, the agents' when all are."""
        layout = self.layout
        for folder in (layout.config, IMAGES):
            folder.mkdir(parents=True, exist_ok=True)
        cgroups.create(layout.cgroup)
        planner = Planner(layout, self.pki)
        for node in self.nodes:
            machines.create(layout, node)
            if node.control_plane:
                self._record_as_on(node)
                _ensure_processes(layout, planner.control_plane())
        agents = [spec for node in self.nodes for spec in planner.agents(node)]
        _ensure_processes(layout, [*agents, planner.supervisor()])

    def _record_as_on(self, node: Node) -> None:
        """Somebody may have switched the control plane off; without it nothing can be repaired."""
        registry = MachineRegistry(self.layout)
        if not registry.record(node).running:
            registry.put(node.index, running=True)

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

    def merge_kubeconfig(self) -> Path:
        """Into the user's own; returns which file that is."""
        settings, target = self.layout.settings, kubeconfig.user_file()
        kubeconfig.merge(target, kubeconfig.document(settings.context, self.server, self.pki.admin, settings.user))
        return target


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
