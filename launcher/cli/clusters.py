"""up, down."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from kube.process.config import ConfigError, load_config
from launcher.cli.output import StepProgress
from launcher.cli.providers import DEFAULT_NAME, KINDS, Finder, provider
from launcher.cluster.errors import LauncherError
from launcher.cluster.provider import Provider, ReadyCluster, UpOptions
from launcher.cluster.settings import ClusterSettings

Subparsers = Any    # argparse._SubParsersAction is private
TAIL_LINES = 5


def add_commands(commands: Subparsers) -> None:
    up = commands.add_parser("up", help="start a cluster, or repair it", description=up_command.__doc__)
    up.add_argument("--name", help="the cluster (default: kubonsai)")
    up.add_argument(
        "--provider", choices=KINDS, help="what nodes are: namespaces of this machine, or containers of docker compose "
        "(default: KUBONSAI_PROVIDER, else namespaces)")
    up.add_argument("--nodes", type=int, help="how many (default: 3); the first is the control plane")
    up.add_argument("--config", metavar="FILE", help="settings as YAML; flags go before it (namespaces)")
    up.add_argument("--api-port", type=int, help="the API's port on 127.0.0.1 (default: 6443, or a free one)")
    up.add_argument("--build", action="store_true", help="make the image anew (compose; default: when there is none)")
    up.add_argument(
        "--addons", metavar="NAMES", default="", help="what there shall be beside cluster DNS, also where one runs: metrics-server")
    up.add_argument("--retain", action="store_true", help="when it fails, leave what there is for a look (default: remove it)")
    up.set_defaults(run=guarded(up_command))

    down = commands.add_parser("down", help="end a cluster and remove all it made", description=down_command.__doc__)
    down.add_argument("--name", help="the cluster (default: kubonsai)")
    down.add_argument("--all", action="store_true", help="every cluster of this machine and of its Docker engine, and the image store")
    down.add_argument("--keep-data", action="store_true", help="keep etcd's data and the certificates for the next `up`")
    down.set_defaults(run=guarded(down_command))


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


def up_command(options: argparse.Namespace) -> int:
    """Starts a cluster and returns when its nodes and its DNS are Ready. On a running cluster it repairs what is missing."""
    name = options.name or (load_config(ClusterSettings, options.config).name if options.config else DEFAULT_NAME)
    ClusterSettings(name=name)
    cluster = provider(Finder().for_up(name, options.provider), name)
    cluster.check("up")
    chosen = tuple(name for name in (part.strip() for part in options.addons.split(",")) if name)
    wanted = UpOptions(
        nodes=options.nodes, api_port=options.api_port, config=options.config or "", build=options.build, addons=chosen)
    cluster.check_options(wanted)       # before the lock: it leaves a folder
    progress = StepProgress()
    with cluster.locked():
        fresh = not cluster.exists()
        print(f"{'Growing' if fresh else 'Tending'} cluster {name!r}", file=sys.stderr)
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            ready = cluster.up(wanted, progress)
        except BaseException as error:
            _after_failure(cluster, error, remove=fresh and not options.retain)
            raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    _print_usage(ready, progress.elapsed_s)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _after_failure(cluster: Provider, error: BaseException, *, remove: bool) -> None:
    interrupted = isinstance(error, KeyboardInterrupt)
    if not interrupted:
        print(f"kubonsai: {error if str(error) else type(error).__name__}", file=sys.stderr)
        if not isinstance(error, LauncherError | ConfigError) and not getattr(error, "filename", None):     # "[Errno 22]" alone says little
            import traceback

            traceback.print_exception(error)
    if not remove:
        place = cluster.logs_place()
        print(f"kubonsai: {'interrupted; ' if interrupted else ''}the cluster is left as it is; logs are in {place}", file=sys.stderr)
        return
    if not interrupted:
        for name, lines in cluster.log_tails(TAIL_LINES):
            if lines:
                print(f"--- {name}\n" + "\n".join(lines), file=sys.stderr)
    print(f"kubonsai: {'interrupted, ' if interrupted else ''}removing what was made (--retain keeps it)", file=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cluster.down(StepProgress())


def _print_usage(cluster: ReadyCluster, elapsed_s: float) -> None:
    name = "" if cluster.name == DEFAULT_NAME else f" --name {cluster.name}"
    print(f"""Cluster {cluster.name!r} is {'ready' if cluster.created else 'whole'} after {elapsed_s:.1f} s.

  kubectl get nodes                      context {cluster.context!r} is current in {cluster.kubeconfig}
  kubectl apply -f examples/hello/       a Deployment behind a Service
  {cluster.look[0]:<38} {cluster.look[1]}
  ./kubonsai status{name:<22}processes, nodes, memory, logs
  ./kubonsai down{name:<24}nothing is left""")


def down_command(options: argparse.Namespace) -> int:
    """Ends a cluster: no process, container, namespace, mount, cgroup, link, socket or kubeconfig context of it is left."""
    if options.all and options.name:
        raise ConfigError("--all and --name exclude each other")
    finder = Finder()
    if not options.all:
        name = options.name or DEFAULT_NAME
        if not (kind := finder.find(name)):
            print(f"There is no cluster {name!r}{finder.others()}", file=sys.stderr)
            return 0
        _fell(provider(kind, name), keep_data=options.keep_data)
        return 0
    clusters = finder.all_clusters()
    for cluster in clusters:
        cluster.check("down")           # before anything is gone
    for cluster in clusters:
        _fell(cluster, keep_data=options.keep_data)
    if not options.keep_data and os.geteuid() == 0:
        from launcher.cluster.down import remove_caches

        remove_caches()
    return 0


def _fell(cluster: Provider, *, keep_data: bool) -> None:
    cluster.check("down")
    print(f"Felling cluster {cluster.name!r}", file=sys.stderr)
    with cluster.locked():
        cluster.down(StepProgress(), keep_data=keep_data)
