"""Many Pods: how fast they start and end, what they weigh, and what the node agents do meanwhile.

    ./kubonsai bench pods [--pods 100] [--nodes 3] [--only floor,starting,deleting,idling,crowd]

Busybox Pods without probes, scheduler and all; the clock stops when a watch shows Ready. "ms CPU" is user and system time per Pod: on a
machine that others use too it says more than the wall clock. `floor` is what the same Pod costs without our code. The goals hold for two
quiet cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

from bench.kubelet.figures import show
from bench.kubelet.floor import floor_figures
from bench.kubelet.load import client_of
from bench.kubelet.measures import MEASURES, Sizes
from launcher.testing.cluster import Cluster, eventually


async def measure(cluster: Cluster, folder: Path, names: list[str], sizes: Sizes) -> None:
    async with client_of(cluster, folder) as client:
        for name in names:
            async for figure in MEASURES[name][0](cluster, client, sizes):
                show(figure)


def run(nodes: int, names: list[str], sizes: Sizes) -> None:
    with tempfile.TemporaryDirectory() as name:
        cluster = Cluster(Path(name), nodes=nodes)
        try:
            cluster.start()
            eventually(lambda: cluster.get("serviceaccount", "default", "-n", "default"))
            asyncio.run(measure(cluster, Path(name), names, sizes))
        finally:
            cluster.stop()


def main() -> None:
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")      # it comments on every process that is started
    defaults = Sizes()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3, help="of the cluster for starting and deleting")
    parser.add_argument("--only", default="", metavar="NAMES", help=f"some of floor, {', '.join(MEASURES)}")
    for name in ("pods", "many", "idle", "doomed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    parser.add_argument("--idle-s", type=float, default=defaults.idle_s)
    options = parser.parse_args()
    sizes = Sizes(options.pods, options.many, options.idle, options.doomed, options.idle_s)
    wanted = options.only.split(",") if options.only else ["floor", *MEASURES]
    print(f"{'':<46}{'unit':>8}{'value':>10}{'goal':>8}")
    if "floor" in wanted:
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            for figure in process.submit(floor_figures, sizes.pods).result():
                show(figure)
    for nodes, names in groupby((name for name in MEASURES if name in wanted), key=lambda name: MEASURES[name][1] or options.nodes):
        run(nodes, list(names), sizes)


if __name__ == "__main__":
    main()
