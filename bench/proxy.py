"""How long a change of a Service takes from the watch event to the kernel's rule, and what a full table costs.

    PYTHONPATH=. python bench/proxy.py [--services 1000] [--endpoints 5] [--changes 300]

Needs root; works in a network namespace of its own. The API's collections stand in memory, everything behind the watch is real; whether the
kernel has what was changed is looked up with nft(8) at the end of each row.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kube.api.discovery_v1 import Endpoint
from node_agent.proxy.proxier import Proxier
from node_agent.proxy.table import TABLE
from tests.support import witness
from tests.support.kernel_api import Collections
from tests.support.kernel_lab import Lab
from tests.support.kernel_services import endpoint, proxy_on, service, slice_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=5)
    parser.add_argument("--changes", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options.services, options.endpoints, options.changes))


async def measure(folder: Path, services: int, endpoints: int, changes: int) -> None:
    rows: list[tuple[str, list[float]]] = []
    changes = min(changes, services // 2)
    async with Lab(folder) as lab:
        node = await lab.machine(1)
        api = Collections()
        for number in range(services):
            api.put(service(f"s{number}", cluster_ip(number)), slice_of(f"s{number}", *members(number, range(endpoints))))
        before = memory_mb()
        started = time.perf_counter()
        async with proxy_on(node, api) as proxier:
            rows.append((f"full table, {services} Services of {endpoints}", [time.perf_counter() - started]))
            after = memory_mb()

            def replace(step: int) -> str:
                fresh = endpoint(f"10.244.{100 + step // 200}.{step % 200 + 1}")
                api.put(slice_of(f"s{step}", fresh, *members(step, range(1, endpoints))))
                return f"{fresh.addresses[0]} . 8080"

            def remove(step: int) -> str:
                number = step + services // 2
                api.put(slice_of(f"s{number}", *members(number, range(endpoints - 1))))
                return f"{cluster_ip(number)} . tcp . 80 : goto pick-{endpoints - 1}"

            def create(step: int, name: str = "new") -> str:
                number = 20000 + step
                api.put(slice_of(f"{name}{step}", *members(step, range(endpoints))), service(f"{name}{step}", cluster_ip(number)))
                return f"{cluster_ip(number)} . tcp . 80 : goto pick-{endpoints}"

            for title, change in (("endpoint replaced", replace), ("endpoint removed", remove), ("Service created", create)):
                rows.append((title, [await timed(proxier, partial(change, step)) for step in range(changes)]))
                assert change(changes - 1) in witness.nft_text(node.name, "list", "table", "ip", TABLE), title
            rows.append(("100 Services at once", [await timed(proxier, lambda: [create(1000 + step) for step in range(100)])]))
    print_rows(rows)
    print(f"memory of this process at most: {before:.0f} MB before the first table, {after:.0f} MB after it")


async def timed(proxier: Proxier, change: Callable[[], object]) -> float:
    """From the watch event to the answered netlink transaction."""
    started = time.perf_counter()
    change()
    await asyncio.sleep(0)
    while not proxier.settled:  # noqa: ASYNC110 - an event would be later than the state it tells of
        await asyncio.sleep(0)
    return time.perf_counter() - started


def cluster_ip(number: int) -> str:
    return f"10.{100 + number // 60000}.{number // 250 % 240 + 1}.{number % 250 + 1}"


def members(number: int, which: range) -> list[Endpoint]:
    return [endpoint(f"10.244.{number % 90 + 2}.{(number + index * 7) % 250 + 1}") for index in which]


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_rows(rows: list[tuple[str, list[float]]]) -> None:
    table = Table("change -> kernel rule, ms", "p50", "p99", "max", "times", title=f"kube-proxy, {os.cpu_count()} cores")
    for title, seconds in rows:
        ordered = sorted(value * 1000 for value in seconds)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        table.add_row(title, f"{statistics.median(ordered):.2f}", f"{p99:.2f}", f"{ordered[-1]:.2f}", str(len(ordered)))
    Console().print(table)


if __name__ == "__main__":
    main()
