"""What requests cost one apiserver: time, CPU, memory; beside upstream's kube-apiserver when its binary is given.

    ./kubonsai bench api [--upstream PATH] [--pods 10000] [--only get,list] [--json FILE]

Each server has an etcd of its own on loopback; both do the same work (TLS, RBAC, admission) and are measured in turns. "ms CPU" is
user and system time of the server's process per operation: on a machine that others use too it says more than the wall clock.
GETs come from wrk where it is installed (Debian package `wrk`).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")      # before grpc is loaded: it would tell of each program started

import uvloop

from bench.apiserver.measures import MEASURES, NEEDED, Figure, Sizes, setup
from bench.apiserver.servers import Server, own_server, upstream_server


async def measure(server: Server, name: str, sizes: Sizes) -> list[Figure]:
    return [figure async for figure in MEASURES[name](server, sizes)]


def show(figures: list[Figure], beside: list[Figure] | None) -> None:
    """Ratios are ours to upstream's: below 1 is cheaper."""
    for number, figure in enumerate(figures):
        line = f"{figure.title:<36}{figure.unit:>8}{figure.value:>12.3f}"
        if beside is not None:
            other = beside[number].value
            line += f"{other:>12.3f}{figure.value / other if other else float('nan'):>9.2f}"
        print(line, flush=True)


async def run(options: argparse.Namespace) -> None:
    sizes = Sizes(
        pods=options.pods, watchers=options.watchers, events=options.events, writes=min(options.writes, options.pods), lists=options.lists,
        seconds=options.seconds, rate=options.rate,
    )
    wanted = options.only.split(",") if options.only else list(MEASURES)
    kept: dict[str, dict[str, float]] = {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = []
        if not options.without_ours:
            servers.append(await stack.enter_async_context(own_server(folder / "kubonsai")))
        if options.upstream:
            servers.append(await stack.enter_async_context(upstream_server(options.upstream, folder / "upstream")))
        print(f"{'':<36}{'':>8}" + "".join(f"{server.name:>12}" for server in servers) + ("    ratio" if len(servers) > 1 else ""))
        for server in servers:
            print(f"# {server.name}: pid {server.pid}", flush=True)
            await setup(server)
        for name in MEASURES:
            if name not in wanted and name not in NEEDED:
                continue
            results = [await measure(server, name, sizes) for server in servers]
            show(results[0], results[1] if len(results) > 1 else None)
            for server, figures in zip(servers, results, strict=True):
                kept.setdefault(server.name, {}).update({f"{figure.title} [{figure.unit}]": figure.value for figure in figures})
    if options.json:
        Path(options.json).write_text(json.dumps(kept, indent=1))


def main(arguments: list[str] | None = None) -> None:
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")      # it comments on every process that is started
    defaults = Sizes()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", default="", metavar="PATH", help="a kube-apiserver binary to measure beside ours")
    parser.add_argument("--without-ours", action="store_true", help="only upstream's")
    parser.add_argument("--only", default="", metavar="NAMES", help=f"some of {', '.join(MEASURES)}; Pods are always created")
    parser.add_argument("--json", default="", metavar="FILE", help="the figures, for later")
    counts = {"pods": "Pods to create", "watchers": "", "events": "of the burst", "writes": "of each kind", "lists": "of each kind"}
    for name, text in counts.items():
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name), help=text)
    parser.add_argument("--seconds", type=float, default=defaults.seconds, help="of each kind of GET; twice that of mixed requests")
    parser.add_argument("--rate", type=float, default=defaults.rate, help="mixed requests a second")
    uvloop.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
