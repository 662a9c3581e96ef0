"""The provider `namespaces`: nodes are namespaces of this machine, processes are forked into them (see up.py, down.py, status.py)."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kube.process.config import ConfigError, load_config
from launcher.cluster.layout import Layout
from launcher.cluster.progress import Progress
from launcher.cluster.provider import ALIASES, LogQuery, Machine, MachineAction, ReadyCluster, UpOptions
from launcher.cluster.settings import ClusterSettings, check_files, with_flags
from launcher.cluster.state import api_port, down_first, load_settings, locked

if TYPE_CHECKING:
    from launcher.cluster.status import ClusterStatus

SYSTEM_COMMANDS = {
    "etcd": "etcd-server", "runc": "runc", "conmon": "conmon", "nft": "nftables", "ip": "iproute2", "busybox": "busybox-static",
}
NEEDS_ROOT = ("up", "down", "status", "kubectl", "node")
MACHINE_TIMEOUT_S = 60.0


class NamespacesCluster:
    kind: ClassVar[str] = "namespaces"

    def __init__(self, name: str) -> None:
        """Raises ConfigError for a name that no cluster can have."""
        self.name = name
        self._layout = Layout(ClusterSettings(name=name))

    def exists(self) -> bool:
        return self._layout.settings_file.exists()

    def check(self, command: str) -> None:
        if command in NEEDS_ROOT and os.geteuid() != 0:
            raise ConfigError(f"{command} makes network namespaces, mounts and control groups: run it as root (sudo ./kubonsai ...)"
                              if command in ("up", "down") else f"the cluster is root's: run {command} as root (sudo ./kubonsai ...)")
        if command == "up":
            settle_environment()
            missing = sorted(package for name, package in SYSTEM_COMMANDS.items() if not shutil.which(name))
            if missing:
                raise ConfigError(f"missing system packages; run: apt-get install {' '.join(missing)}")

    def locked(self) -> AbstractContextManager[None]:
        return locked(self._layout)

    def check_options(self, options: UpOptions) -> None:
        self._settings(options)

    def up(self, options: UpOptions, progress: Progress) -> ReadyCluster:
        from launcher.cluster.up import up  # the imports of a whole cluster: not for `logs` or `--help`

        return up(Layout(self._settings(options)), progress)

    def _settings(self, options: UpOptions) -> ClusterSettings:
        """What runs keeps its settings. Another number of nodes, or another file, is a different cluster."""
        if options.build:
            raise ConfigError("--build makes the image for --provider compose; a cluster of namespaces needs none")
        wanted = load_config(ClusterSettings, options.config) if options.config else ClusterSettings()
        wanted = with_flags(wanted, name=self.name, nodes=options.nodes, api_port=options.api_port)
        wanted = with_flags(wanted, addons=_joined(wanted.addons, options.addons))
        if not self._layout.settings_file.exists():
            check_files(wanted)
            return wanted
        held = load_settings(self.name)
        advice = down_first(self.name)
        if options.nodes is not None and options.nodes != held.nodes:
            more = f"`./kubonsai node add --name {self.name}` makes one more"
            raise ConfigError(f"cluster {self.name!r} was made with {held.nodes} nodes; {more}, or {advice}")
        if options.api_port and (port := api_port(self._layout)) and options.api_port != port:
            raise ConfigError(f"the API of cluster {self.name!r} is at port {port}; {advice}")
        held = with_flags(held, addons=_joined(held.addons, wanted.addons))      # they may come later; kubectl takes them away
        same = ("addons", "api_port") if options.api_port else ("addons",)       # looked at above
        differ = [key for key in held.__struct_fields__ if key not in same and getattr(wanted, key) != getattr(held, key)]
        if options.config and differ:
            raise ConfigError(f"cluster {self.name!r} was made with other settings ({', '.join(differ)}); {advice}")
        return held

    def down(self, progress: Progress, *, keep_data: bool = False) -> None:
        from launcher.cluster.down import down

        down(self._layout, progress, keep_data=keep_data)      # by its name alone: settings that nobody can read are removed too

    def status(self) -> ClusterStatus:
        from launcher.cluster.status import cluster_status

        return cluster_status(Layout(load_settings(self.name)))

    def admin_kubeconfig(self) -> Path:
        return Layout(load_settings(self.name)).admin_kubeconfig

    def logs(self, query: LogQuery) -> int:
        folder = self._layout.logs
        component = ALIASES.get(query.component, query.component)
        held = {file: component_and_node(file.stem) for file in sorted(folder.glob("*.log"))}
        known = sorted({name for name, _ in held.values()})
        if component not in known:
            raise ConfigError(f"no component {query.component!r}; there are: {', '.join(known)}")
        files = [file for file, (name, node) in held.items() if name == component and query.node in ("", node)]
        if not files:
            nodes = sorted(node for name, node in held.values() if name == component and node)
            raise ConfigError(f"no log of {component} on {query.node!r}; it is on: {', '.join(nodes) or 'no node'}")
        follow = ["-F"] if query.follow else []
        sys.stdout.flush()
        os.execvp("tail", ["tail", "-n", str(query.tail), *follow, "--", *(str(file) for file in files)])

    def log_tails(self, lines: int) -> list[tuple[str, list[str]]]:
        files = sorted(self._layout.logs.glob("*.log"))
        return [(file.name, [line for line in file.read_text(errors="replace").splitlines() if line][-lines:]) for file in files]

    def logs_place(self) -> str:
        return str(self._layout.logs)

    def machines(self) -> list[Machine]:
        from kube.rpc.v1 import machines_pb2 as pb

        found = self._ask_supervisor("ListMachines", pb.ListMachinesRequest()).machines
        return [_machine(machine) for machine in found]

    def change_machine(self, action: MachineAction, node: str) -> Machine | None:
        from kube.rpc.v1 import machines_pb2 as pb

        if action == "add":
            return _machine(self._ask_supervisor("AddMachine", pb.AddMachineRequest(name=node)))
        if action in ("connect", "disconnect"):
            self._ask_supervisor("ConnectMachine", pb.ConnectMachineRequest(name=node, connected=action == "connect"))
        else:
            self._ask_supervisor(f"{action.capitalize()}Machine", pb.MachineRequest(name=node))
        return None

    def _ask_supervisor(self, method: str, request: Any) -> Any:
        """Raises ConfigError when it refuses, or does not answer."""
        import grpc

        from kube.rpc.v1.machines_pb2_grpc import MachineServiceStub

        with grpc.insecure_channel(f"unix:{Layout(load_settings(self.name)).supervisor_socket}") as channel:
            try:
                return getattr(MachineServiceStub(channel), method)(request, timeout=MACHINE_TIMEOUT_S)
            except grpc.RpcError as error:
                raise ConfigError(f"the supervisor of cluster {self.name!r}: {error.details()}") from error


def _joined(held: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*held, *more)))


def settle_environment() -> None:
    """What the cluster's processes inherit, whoever starts them."""
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"      # a plain `su` leaves them out
    os.umask(0o022)     # containers that do not run as root read what is made here; keys are 0600 anyhow


def component_and_node(stem: str) -> tuple[str, str]:
    """What a log file's name says: "kubelet-node2" is the kubelet's on node2, "etcd" is nobody else's."""
    component, found, index = stem.rpartition("-node")
    return (component, f"node{index}") if found and index.isdigit() else (stem, "")


def _machine(machine: Any) -> Machine:
    return Machine(
        name=machine.name, address=machine.address, running=machine.running, connected=machine.connected, zone=machine.zone,
        provider_id=machine.provider_id,
    )
