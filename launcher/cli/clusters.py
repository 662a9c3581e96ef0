"""up, down, status, logs, kubectl."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from kube.process.config import ConfigError, load_config
from launcher.cli.output import StepProgress, human_bytes, human_seconds, table
from launcher.cluster.errors import LauncherError
from launcher.cluster.layout import Layout
from launcher.cluster.settings import ClusterSettings, with_flags
from launcher.cluster.state import cluster_names, load_settings, locked

if TYPE_CHECKING:
    from launcher.cluster.up import RunningCluster

SYSTEM_COMMANDS = {
    "etcd": "etcd-server", "runc": "runc", "conmon": "conmon", "nft": "nftables", "ip": "iproute2", "busybox": "busybox-static",
}
Subparsers = Any    # argparse._SubParsersAction is private


def add_commands(commands: Subparsers) -> None:
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument("--name", help="the cluster (default: kubonsai)")

    up = commands.add_parser("up", parents=[name], help="start a cluster, or repair it", description=up_command.__doc__)
    up.add_argument("--nodes", type=int, help="how many (default: 3); node1 is the control plane")
    up.add_argument("--config", metavar="FILE", help="settings as YAML; flags go before it")
    up.add_argument("--api-port", type=int, help="the API's port on 127.0.0.1 (default: 6443, or a free one)")
    up.add_argument("--retain", action="store_true", help="when it fails, leave what there is for a look (default: remove it)")
    up.set_defaults(run=guarded(up_command))

    down = commands.add_parser("down", parents=[name], help="end a cluster and remove all it made", description=down_command.__doc__)
    down.add_argument("--all", action="store_true", help="every cluster of this machine, and the image store")
    down.add_argument("--keep-data", action="store_true", help="keep etcd's data and the certificates for the next `up`")
    down.set_defaults(run=guarded(down_command))

    status = commands.add_parser("status", parents=[name], help="what runs, where, how large", description=status_command.__doc__)
    status.add_argument("-o", "--output", choices=["text", "json"], default="text")
    status.set_defaults(run=guarded(status_command))

    logs = commands.add_parser("logs", parents=[name], help="a component's log", description=logs_command.__doc__)
    logs.add_argument("component", help="apiserver, etcd, scheduler, kubelet, kube-proxy, supervisor, ...")
    logs.add_argument("--node", help="of which node, where several have one")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("--tail", type=int, default=200, metavar="LINES")
    logs.set_defaults(run=guarded(logs_command))

    kubectl_help = commands.add_parser("kubectl", help="kubectl with this cluster's credentials", add_help=False)
    kubectl_help.set_defaults(run=lambda options: kubectl([]))


def guarded(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Turns expected failures into one clear message: 2 for wrong input, 1 for what went wrong."""

    def run(options: argparse.Namespace) -> int:
        try:
            return command(options)
        except ConfigError as error:
            print(f"kubonsai: {error}", file=sys.stderr)
            return 2
        except LauncherError as error:
            print(f"kubonsai: {error}", file=sys.stderr)
            return 1
        except BrokenPipeError:
            sys.stderr.close()
            return 1

    return run


def need_root(what: str) -> None:
    if os.geteuid() != 0:
        raise ConfigError(f"{what} makes network namespaces, mounts and control groups: run it as root (sudo ./kubonsai ...)")


def settle_environment() -> None:
    """What the cluster's processes inherit, whoever starts them."""
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"      # a plain `su` leaves them out
    os.umask(0o022)     # containers that do not run as root read what is made here; keys are 0600 anyhow


def need_system_commands() -> None:
    missing = sorted(package for command, package in SYSTEM_COMMANDS.items() if not shutil.which(command))
    if missing:
        raise ConfigError(f"missing system packages; run: apt-get install {' '.join(missing)}")


def up_command(options: argparse.Namespace) -> int:
    """Starts a cluster and returns when its nodes and its DNS are Ready. On a running cluster it repairs what is missing."""
    need_root("up")
    settle_environment()
    need_system_commands()
    settings = load_config(ClusterSettings, options.config) if options.config else ClusterSettings()
    settings = with_flags(settings, name=options.name, nodes=options.nodes, api_port=options.api_port)
    from launcher.cluster.up import up  # the imports of a whole cluster: not for `logs` or `--help`

    layout = Layout(settings)
    progress = StepProgress()
    with locked(layout):
        fresh = not layout.settings_file.exists()
        if not fresh:
            layout = Layout(_same_cluster(layout, settings, explicit=bool(options.config), nodes=options.nodes))
        print(f"{'Growing' if fresh else 'Tending'} cluster {layout.name!r}", file=sys.stderr)
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            cluster = up(layout, progress)
        except BaseException as error:
            _after_failure(layout, error, remove=fresh and not options.retain)
            raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    _print_usage(cluster, progress.elapsed_s)
    return 0


def _same_cluster(layout: Layout, wanted: ClusterSettings, *, explicit: bool, nodes: int | None) -> ClusterSettings:
    """What runs keeps its settings. Another number of nodes, or another file, is a different cluster."""
    held = load_settings(layout.name)
    if nodes is not None and nodes != held.nodes:
        raise ConfigError(f"cluster {layout.name!r} has {held.nodes} nodes; run `./kubonsai down` first, or choose another --name")
    if explicit and wanted != held:
        raise ConfigError(f"cluster {layout.name!r} was made with other settings; run `./kubonsai down` first, or choose another --name")
    return held


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _after_failure(layout: Layout, error: BaseException, *, remove: bool) -> None:
    from launcher.cluster.down import down

    interrupted = isinstance(error, KeyboardInterrupt)
    if not interrupted:
        print(f"kubonsai: {error if str(error) else type(error).__name__}", file=sys.stderr)
        if not isinstance(error, LauncherError | ConfigError) and not getattr(error, "filename", None):     # "[Errno 22]" alone says little
            import traceback

            traceback.print_exception(error)
    if not remove:
        print(f"kubonsai: {'interrupted; ' if interrupted else ''}the cluster is left as it is; logs are in {layout.logs}", file=sys.stderr)
        return
    if not interrupted:
        _print_log_tails(layout)
    print(f"kubonsai: {'interrupted, ' if interrupted else ''}removing what was made (--retain keeps it)", file=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    down(layout, StepProgress())


def _print_log_tails(layout: Layout) -> None:
    for file in sorted(layout.logs.glob("*.log")):
        lines = [line for line in file.read_text(errors="replace").splitlines() if line][-5:]
        if lines:
            print(f"--- {file.name}\n" + "\n".join(lines), file=sys.stderr)


def _print_usage(cluster: RunningCluster, elapsed_s: float) -> None:
    name = "" if cluster.layout.name == "kubonsai" else f" --name {cluster.layout.name}"
    print(f"""Cluster {cluster.layout.name!r} is {'ready' if cluster.created else 'whole'} after {elapsed_s:.1f} s.

  kubectl get nodes                      context {cluster.context!r} is current in {cluster.kubeconfig}
  kubectl apply -f examples/hello/       a Deployment behind a Service
  ip netns list                          every node and Pod; ip netns exec NAME curl http://hello.default.svc.cluster.local
  ./kubonsai status{name:<22}processes, nodes, memory, logs
  ./kubonsai down{name:<24}nothing is left""")


def down_command(options: argparse.Namespace) -> int:
    """Ends a cluster: no process, namespace, mount, cgroup, link, socket or kubeconfig context of it is left."""
    need_root("down")
    from launcher.cluster.down import down, remove_caches

    if options.all and options.name:
        raise ConfigError("--all and --name exclude each other")
    names = cluster_names() if options.all else [options.name or "kubonsai"]
    if not options.all and names[0] not in cluster_names():
        ClusterSettings(name=names[0])       # a name that cannot be is an error, one that is not there is done already
        print(f"There is no cluster {names[0]!r}.", file=sys.stderr)
        return 0
    for name in names:
        print(f"Felling cluster {name!r}", file=sys.stderr)
        layout = Layout(ClusterSettings(name=name))
        with locked(layout):
            if layout.settings_file.exists():
                layout = Layout(load_settings(name))
            down(layout, StepProgress(), keep_data=options.keep_data)
    if options.all and not options.keep_data:
        remove_caches()
    return 0


def status_command(options: argparse.Namespace) -> int:
    """Shows the cluster's processes, nodes and Pods. Exit code 1 when something that should run does not."""
    need_root("status")
    import msgspec

    from launcher.cluster.status import cluster_status

    status = cluster_status(Layout(load_settings(options.name or "kubonsai")))
    if options.output == "json":
        print(msgspec.json.format(msgspec.json.encode(status), indent=2).decode())
    else:
        rows: list[tuple[str, ...]] = [("PROCESS", "NODE", "PID", "UP", "MEMORY", "RESTARTS")]
        rows += [
            (p.name, p.node or "-", str(p.pid or "-"), human_seconds(p.uptime_seconds) if p.pid else "down", human_bytes(p.memory_bytes),
             str(p.restarts))
            for p in status.processes
        ]
        total = f"{human_bytes(sum(p.memory_bytes for p in status.processes))} in {len(status.processes)} processes"
        print(f"Cluster {status.name!r}, {status.server}, context {status.context!r}, {total}\n")
        print(table(rows))
        if status.error:
            print(f"\nThe API does not answer: {status.error}")
        else:
            nodes: list[tuple[str, ...]] = [("NODE", "ADDRESS", "READY", "PODS")]
            print("\n" + table(nodes + [(n.name, n.address, "yes" if n.ready else "no", str(n.pods)) for n in status.nodes]))
            print("\nPods: " + (", ".join(f"{count} {phase}" for phase, count in sorted(status.pods.items())) or "none"))
        print(f"Logs: {status.logs}   (./kubonsai logs COMPONENT)")
    whole = not status.error and all(p.pid for p in status.processes) and all(n.ready for n in status.nodes)
    return 0 if whole else 1


def logs_command(options: argparse.Namespace) -> int:
    """Prints the end of a component's log, of all nodes that have it, or of one."""
    layout = Layout(load_settings(options.name or "kubonsai"))
    files = _log_files(layout.logs, options.component, options.node)
    if not files:
        known = sorted(file.stem for file in layout.logs.glob("*.log"))
        raise ConfigError(f"no log of {options.component!r}{f' on {options.node}' if options.node else ''}; there are: {', '.join(known)}")
    follow = ["-F"] if options.follow else []
    _become(["tail", "-n", str(options.tail), *follow, "--", *(str(file) for file in files)])


def _log_files(folder: Path, component: str, node: str | None) -> list[Path]:
    component = {"kube-apiserver": "apiserver", "kube-scheduler": "scheduler"}.get(component, component.removeprefix("kube-controller-"))
    names = {component, f"{component}-{node}"} if node else None
    return sorted(
        file for file in folder.glob("*.log")
        if (file.stem in names if names else file.stem == component or file.stem.rpartition("-node")[0] == component)
    )


def kubectl(arguments: list[str]) -> int:
    """Runs kubectl with the administrator's kubeconfig of a cluster (`--name NAME` as the first arguments chooses it)."""
    name = "kubonsai"
    if arguments[:1] == ["--name"] and len(arguments) > 1:
        name, arguments = arguments[1], arguments[2:]
    try:
        layout = Layout(load_settings(name))
    except ConfigError as error:
        print(f"kubonsai: {error}", file=sys.stderr)
        return 2
    if not shutil.which("kubectl"):
        print("kubonsai: kubectl is not installed; run: apt-get install kubernetes-client", file=sys.stderr)
        return 1
    environment = {**os.environ, "KUBECONFIG": str(layout.admin_kubeconfig)}
    return _become(["kubectl", *arguments], environment)


def _become(command: list[str], environment: dict[str, str] | None = None) -> NoReturn:
    sys.stdout.flush()
    os.execvpe(command[0], command, environment or dict(os.environ))
