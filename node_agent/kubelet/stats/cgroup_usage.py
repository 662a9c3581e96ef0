"""What a control group has used so far and holds now: cgroup v1 (with or without the hybrid unified hierarchy), or v2.

Paths are absolute, "/kubonsai/c/node1/kubepods". Working set is what the kernel cannot drop at once, as cAdvisor defines it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

ROOT = Path("/sys/fs/cgroup")
LARGEST = 1 << 16           # bytes of a file: memory.stat has 2 to 5 thousand
UNLIMITED = 1 << 62         # v1 has no word for it, only a number near 2**63


class Pressure(NamedTuple):
    """Of one line of a .pressure file: percent over windows of seconds, and microseconds altogether."""

    avg10: float
    avg60: float
    avg300: float
    total_us: int


class CgroupUsage(NamedTuple):
    at: float                               # seconds since 1970
    cpu_ns: int
    memory_bytes: int                       # all of it, with the page cache
    working_set_bytes: int
    rss_bytes: int
    page_faults: int
    major_page_faults: int
    memory_limit: int | None                # None: unlimited
    processes: int
    swap_bytes: int
    pressure: dict[tuple[str, str], Pressure]       # by resource (cpu, memory, io) and kind (some, full); {} where the kernel has none


class UsageReader(Protocol):
    """What differs between the versions."""

    def read(self, path: str, at: float, *, pressure: bool = True) -> CgroupUsage | None:
        """None: there is no such group. Without `pressure` for half the price."""

    def node(self, path: str, at: float) -> CgroupUsage | None:
        """The same for a node's own group, whose agents may be limited by no controller."""

    def agents(self, path: str) -> dict[str, frozenset[int]]:
        """Processes by agent (kubelet, kube-proxy ...): the groups below a node's, without those of Pods."""


def detect_reader(root: Path = ROOT) -> UsageReader:
    return UnifiedReader(root) if (root / "cgroup.controllers").exists() else LegacyReader(root)


class UnifiedReader:
    """Version 2."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def read(self, path: str, at: float, *, pressure: bool = True) -> CgroupUsage | None:
        group = self._root / path.lstrip("/")
        cpu = _keyed(group / "cpu.stat")
        if not cpu:
            return None
        held, stat = _number(group / "memory.current"), _keyed(group / "memory.stat")
        return CgroupUsage(
            at=at, cpu_ns=cpu.get("usage_usec", 0) * 1000, memory_bytes=held,
            working_set_bytes=max(0, held - stat.get("inactive_file", 0)), rss_bytes=stat.get("anon", 0),
            page_faults=stat.get("pgfault", 0), major_page_faults=stat.get("pgmajfault", 0),
            memory_limit=_limit(group / "memory.max"), processes=_number(group / "pids.current"),
            swap_bytes=_number(group / "memory.swap.current"), pressure=_pressure(group) if pressure else {},
        )

    def node(self, path: str, at: float) -> CgroupUsage | None:
        return self.read(path, at)

    def agents(self, path: str) -> dict[str, frozenset[int]]:
        return _agents(self._root / path.lstrip("/"))


class LegacyReader:
    """Version 1: a directory per controller. Agents are in the hierarchy that tracks processes only: their memory is asked of /proc."""

    def __init__(self, root: Path = ROOT, proc: Path = Path("/proc")) -> None:
        self._root = root
        self._proc = proc
        unified = root / "unified"
        self._unified = unified if (unified / "cgroup.procs").exists() else None
        self._tracking = self._unified or root / "pids"

    def read(self, path: str, at: float, *, pressure: bool = True) -> CgroupUsage | None:
        relative = path.lstrip("/")
        memory = self._root / "memory" / relative
        stat = _keyed(memory / "memory.stat")
        if not stat:
            return None
        held = _number(memory / "memory.usage_in_bytes")
        return CgroupUsage(
            at=at, cpu_ns=_number(self._root / "cpuacct" / relative / "cpuacct.usage"), memory_bytes=held,
            working_set_bytes=max(0, held - stat.get("total_inactive_file", 0)), rss_bytes=stat.get("total_rss", 0),
            page_faults=stat.get("total_pgfault", 0), major_page_faults=stat.get("total_pgmajfault", 0),
            memory_limit=_limit(memory / "memory.limit_in_bytes"), processes=_number(self._root / "pids" / relative / "pids.current"),
            swap_bytes=stat.get("total_swap", 0),
            pressure=_pressure(self._unified / relative) if self._unified and pressure else {},
        )

    def node(self, path: str, at: float) -> CgroupUsage | None:
        pods = self.read(path, at)
        if pods is None:
            return None
        pids = frozenset[int]().union(*self.agents(path).values())
        agents = sum(proportional_memory(pid, self._proc) for pid in pids)
        cpu_ns = pods.cpu_ns
        if self._unified is not None:       # counts every process, whatever controllers it has
            cpu_ns = _keyed(self._unified / path.lstrip("/") / "cpu.stat").get("usage_usec", 0) * 1000 or cpu_ns
        return pods._replace(
            cpu_ns=cpu_ns, memory_bytes=pods.memory_bytes + agents, working_set_bytes=pods.working_set_bytes + agents,
            rss_bytes=pods.rss_bytes + agents, processes=pods.processes + len(pids),
        )

    def agents(self, path: str) -> dict[str, frozenset[int]]:
        return _agents(self._tracking / path.lstrip("/"))


def proportional_memory(pid: int, proc: Path = Path("/proc")) -> int:
    """Bytes; what is shared with other processes counts in parts. 0: it is gone."""
    with suppress(OSError, ValueError):
        for line in (proc / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_time_ns(pid: int, proc: Path = Path("/proc")) -> int:
    """User and system time of a process. 0: it is gone."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def _agents(group: Path) -> dict[str, frozenset[int]]:
    found = {}
    for directory in _directories(group):
        if directory.name != "kubepods":
            with suppress(OSError):
                found[directory.name] = frozenset(int(line) for line in (directory / "cgroup.procs").read_text().split())
    return found


def _directories(group: Path) -> Iterator[Path]:
    try:
        entries: Iterable[os.DirEntry[str]] = os.scandir(group)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)


def _pressure(group: Path) -> dict[tuple[str, str], Pressure]:
    found = {}
    for resource in ("cpu", "memory", "io"):
        try:
            lines = (group / f"{resource}.pressure").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            kind, *pairs = line.split()
            values = dict(pair.split("=") for pair in pairs)
            found[resource, kind] = Pressure(
                float(values["avg10"]), float(values["avg60"]), float(values["avg300"]), int(values["total"]))
    return found


def _limit(path: Path) -> int | None:
    limit = _number(path)       # v2's "max" is no number
    return limit if 0 < limit < UNLIMITED else None


def _number(path: Path) -> int:
    try:
        return int(_read(path))
    except (OSError, ValueError):
        return 0


def _keyed(path: Path) -> dict[str, int]:
    try:
        lines = _read(path).decode().splitlines()
    except OSError:
        return {}
    return {key: int(value) for key, _, value in (line.partition(" ") for line in lines) if value.isdigit()}


def _read(path: Path) -> bytes:
    # A scrape reads hundreds: half the time of Path.read_text, which asks for the file's size and type, and buffers.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, LARGEST)
    finally:
        os.close(descriptor)
