"""What a cluster's processes have used: CPU by component, memory by part, threads and descriptors."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from launcher.cluster import cgroups
from launcher.cluster.status import proportional_set_size
from launcher.testing.cluster import Cluster

Spent = dict[str, float]        # seconds by component
CONMON, CONTAINERS = "runc, conmon", "in containers"


class Held(NamedTuple):
    threads: int
    descriptors: int


class Processes:
    """The agents and control plane of a cluster as they run now, and what they have started."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._group = f"/kubonsai/{cluster.name}"
        self._own = [(process["name"], process["node"], process["pid"]) for process in cluster.status()["processes"] if process["pid"]]
        self._kubelets = {pid: _counted(f"{self._group}/{node}/kubelet", pid) for name, node, pid in self._own if name == "kubelet"}

    def pids(self, name: str) -> list[int]:
        return [pid for process, _, pid in self._own if process == name]

    def cpu(self) -> Spent:
        """Seconds by component; differences count. What kubelets have started is counted with those that have ended since."""
        spent: Spent = {}
        for name, _, pid in self._own:
            spent[name] = spent.get(name, 0.0) + cpu_s(pid)
        spent[CONMON] = sum(_usage(folder) - cpu_s(pid) for pid, folder in self._kubelets.items())
        spent[CONTAINERS] = sum(self._containers_cpu())
        return spent

    def _containers_cpu(self) -> Iterator[float]:
        for folder in (_accounts() / self._group.lstrip("/")).glob("*/kubepods"):
            yield _usage(folder)

    def conmons(self) -> list[int]:
        return [pid for pid in cgroups.processes(self._group) if _name(pid) == "conmon"]

    def memory(self) -> Counter[str]:
        """Bytes by component: proportional set sizes."""
        used = Counter[str]()
        for name, _, pid in self._own:
            used[name] += proportional_set_size(pid)
        used["conmon"] = sum(proportional_set_size(pid) for pid in self.conmons())
        return used

    def in_containers(self) -> tuple[int, int]:
        """Bytes: proportional set size of the processes, and what the kernel charges to their cgroups beside it (page tables, stacks,
        slab, page cache)."""
        pids = {int(pid) for folder in self._kubepods() for file in folder.glob("**/cgroup.procs") for pid in file.read_text().split()}
        resident = sum(proportional_set_size(pid) for pid in pids)
        charged = 0
        for folder in self._kubepods():
            name = "memory.current" if cgroups.is_v2() else "memory.usage_in_bytes"
            charged += int((folder / name).read_text())
        return resident, max(0, charged - resident)

    def _kubepods(self) -> list[Path]:
        root = cgroups.MOUNT if cgroups.is_v2() else cgroups.MOUNT / "memory"
        return list((root / self._group.lstrip("/")).glob("*/kubepods"))

    def held(self, name: str) -> Held:
        """Threads and open descriptors of all processes of that name."""
        pids = self.pids(name)
        return Held(
            sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids),
            sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids),
        )


def between(before: Spent, after: Spent) -> Spent:
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}


def _accounts() -> Path:
    return cgroups.MOUNT if cgroups.is_v2() else cgroups.MOUNT / "cpuacct"


def _counted(group: str, pid: int) -> Path:
    """The cgroup that counts the CPU of a process and of all that it starts. With v1 a cluster's own processes are in none that counts."""
    folder = _accounts() / group.lstrip("/")
    if not cgroups.is_v2():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text(str(pid))
    return folder


def _usage(folder: Path) -> float:
    """Seconds."""
    try:
        if cgroups.is_v2():
            return int((folder / "cpu.stat").read_text().split()[1]) / 1e6
        return int((folder / "cpuacct.usage").read_text()) / 1e9
    except OSError:
        return 0.0


def cpu_s(pid: int) -> float:
    """User and system time of all its threads so far. 0 when it is gone."""
    try:
        return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except OSError:
        return 0.0


def kernel_memory() -> int:
    """Bytes of the kernel's own that do not go when memory gets tight. Of the whole machine, so others show in it too."""
    wanted = ("SUnreclaim", "KernelStack", "PageTables", "Percpu")
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(fields[1]) * 1024 for fields in lines if fields[0].rstrip(":") in wanted)


def disk_of(folder: Path) -> int:
    """Bytes on disk below a folder, its mounts left out."""
    device, total = folder.stat().st_dev, 0
    for parent, names, files in os.walk(folder):
        names[:] = [name for name in names if Path(parent, name).lstat().st_dev == device]
        total += sum(Path(parent, name).lstat().st_blocks * 512 for name in (*names, *files))
    return total


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
