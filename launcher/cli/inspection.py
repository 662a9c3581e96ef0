"""status, logs, kubectl."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from launcher.cli.clusters import guarded
from launcher.cli.output import human_bytes, human_seconds, table
from launcher.cli.providers import existing
from launcher.cluster.errors import LauncherError
from launcher.cluster.provider import LogQuery

if TYPE_CHECKING:
    from launcher.cluster.status import ClusterStatus, ProcessInfo

Subparsers = Any


def add_commands(commands: Subparsers) -> None:
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument("--name", help="the cluster (default: kubonsai)")

    status = commands.add_parser("status", parents=[name], help="what runs, where, how large", description=status_command.__doc__)
    status.add_argument("-o", "--output", choices=["text", "json"], default="text")
    status.set_defaults(run=guarded(status_command))

    logs = commands.add_parser("logs", parents=[name], help="a component's log", description=logs_command.__doc__)
    logs.add_argument("component", help="apiserver, etcd, scheduler, kubelet, kube-proxy, supervisor, ...")
    logs.add_argument("--node", default="", help="of which node, where several have one")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("--tail", type=int, default=200, metavar="LINES")
    logs.set_defaults(run=guarded(logs_command))

    kubectl_help = commands.add_parser("kubectl", help="kubectl with this cluster's credentials", add_help=False)
    kubectl_help.set_defaults(run=lambda options: kubectl([]))


def status_command(options: argparse.Namespace) -> int:
    """Shows the cluster's processes, nodes and Pods. Exit code 1 when something that should run does not."""
    cluster = existing(options.name)
    cluster.check("status")
    import msgspec

    status = cluster.status()
    if options.output == "json":
        print(msgspec.json.format(msgspec.json.encode(status), indent=2).decode())
    else:
        _print_status(status, "containers" if cluster.kind == "compose" else "processes")
    return 0 if status.whole else 1


def _print_status(status: ClusterStatus, units: str) -> None:
    rows: list[tuple[str, ...]] = [("PROCESS", "NODE", "PID", "UP", "MEMORY", "RESTARTS")]
    rows += [
        (p.name, p.node or "-", str(p.pid or "-"), _up(p), human_bytes(p.memory_bytes), str(p.restarts)) for p in status.processes
    ]
    total = f"{human_bytes(sum(p.memory_bytes for p in status.processes))} in {len(status.processes)} {units}"
    print(f"Cluster {status.name!r}, {status.server}, context {status.context!r}, {total}\n")
    print(table(rows))
    if status.error:
        print(f"\nThe API does not answer: {status.error}; `./kubonsai up --name {status.name}` starts what is missing")
    else:
        nodes: list[tuple[str, ...]] = [("NODE", "ADDRESS", "READY", "PODS")]
        print("\n" + table(nodes + [(n.name, n.address, "yes" if n.ready else "no", str(n.pods)) for n in status.nodes]))
        print("\nPods: " + (", ".join(f"{count} {phase}" for phase, count in sorted(status.pods.items())) or "none"))
    print(f"Logs: {status.logs}   (./kubonsai logs COMPONENT)")


def _up(process: ProcessInfo) -> str:
    if not process.pid:
        return f"down, {process.note}" if process.note else "down"
    return human_seconds(process.uptime_seconds) + (f", {process.note}" if process.note else "")


def logs_command(options: argparse.Namespace) -> int:
    """Prints the end of a component's log, of all nodes that have it, or of one."""
    query = LogQuery(component=options.component, node=options.node, follow=options.follow, tail=options.tail)
    try:
        return existing(options.name).logs(query)
    except KeyboardInterrupt:
        return 130


def kubectl(arguments: list[str]) -> int:
    """Runs kubectl with the administrator's kubeconfig of a cluster (`--name NAME` as the first arguments chooses it)."""
    name = None
    if arguments[:1] == ["--name"] and len(arguments) > 1:
        name, arguments = arguments[1], arguments[2:]

    def run(options: argparse.Namespace) -> int:
        cluster = existing(name)
        cluster.check("kubectl")
        environment = {**os.environ, "KUBECONFIG": str(cluster.admin_kubeconfig())}
        if shutil.which("kubectl"):
            sys.stdout.flush()
            os.execvpe("kubectl", ["kubectl", *arguments], environment)
        raise LauncherError("kubectl is not installed; run: apt-get install kubernetes-client")

    return guarded(run)(argparse.Namespace())
