"""What a node has left. Nodes may share a machine: one that claims less than all of it has a budget of its own, beside what is real."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from node_agent.kubelet.stats.cgroup_usage import CgroupUsage
from node_agent.kubelet.stats.sources import NodeSource


class Processes(NamedTuple):
    """Threads, in fact, as the kernel counts process ids."""

    running: int
    limit: int


def available_memory(node: NodeSource, usage: CgroupUsage | None, proc: Path = Path("/proc")) -> int | None:
    """Bytes; None: not known. The budget's rest, and never more than what the machine could give."""
    real = _mem_available(proc)
    if not node.own_memory or usage is None:
        return real
    own = max(0, node.memory_bytes - usage.working_set_bytes)
    return own if real is None else min(own, real)


def processes(proc: Path = Path("/proc")) -> Processes | None:
    try:
        running = int((proc / "loadavg").read_text().split()[3].partition("/")[2])
        limits = [int((proc / "sys/kernel" / name).read_text()) for name in ("pid_max", "threads-max")]
    except (OSError, ValueError, IndexError):
        return None
    return Processes(running, min(limits))


def _mem_available(proc: Path) -> int | None:
    try:
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
