"""Control groups, as v1 (with or without the hybrid unified hierarchy) and as v2. Paths are absolute, "/kubonsai/c/node1/kubepods"."""

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from node_agent.runtime.model import Resources

ROOT = Path("/sys/fs/cgroup")


class Cgroups(Protocol):
    """What differs between the versions."""

    def roots(self) -> list[Path]:
        """Where a cgroup path has to exist: one directory per hierarchy."""

    def create(self, path: str, resources: Resources) -> None:
        """Makes the cgroup with its parents, or changes the limits of an existing one."""

    def update(self, path: str, resources: Resources) -> None:
        """Changes the limits that are given. Raises OSError where the kernel refuses: less memory than is in use (version 1)."""

    def memory_in_use(self, path: str) -> int:
        """Bytes, with what the kernel could drop."""

    def limits_huge_pages(self) -> bool:
        """Whether the machine has that controller: without it containers share its huge pages as they like."""

    def oom_kills(self, path: str) -> int:
        """How many processes of this cgroup itself the kernel killed for memory."""


def detect_cgroups(root: Path = ROOT) -> Cgroups:
    return UnifiedCgroups(root) if (root / "cgroup.controllers").exists() else LegacyCgroups(root)


def all_devices(root: Path = ROOT) -> tuple[dict[str, Any], ...]:
    """The OCI device rules of a container that may use every device: every one that this machine may use itself.

    A machine that is a container has a list of its own, and v1 refuses a child more than its parent has. (v2 asks every level.)
    https://docs.kernel.org/admin-guide/cgroup-v1/devices.html
    """
    everything = {"allow": True, "access": "rwm"}
    try:
        lines = (root / "devices" / "devices.list").read_text().splitlines()
    except OSError:
        return (everything,)
    return tuple(_device_rule(line) for line in lines) if "a *:* rwm" not in lines else (everything,)


def _device_rule(line: str) -> dict[str, Any]:
    """"c 1:3 rwm" or "b *:* m"."""
    kind, numbers, access = line.split()
    major, _, minor = numbers.partition(":")
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    return rule | {key: int(number) for key, number in (("major", major), ("minor", minor)) if number != "*"}


def remove_cgroup(cgroups: Cgroups, path: str) -> None:
    """Removes the cgroup and all below it in every hierarchy, deepest first; what still runs in it is killed."""
    for root in cgroups.roots():
        _remove_tree(f"{root}{path}")


def pod_groups(cgroups: Cgroups, parent: str) -> dict[str, str]:
    """The cgroups of Pods below a node's, by uid."""
    found: dict[str, str] = {}
    for root in cgroups.roots():
        top = root / parent.lstrip("/") / "kubepods"
        for directory in (*top.glob("pod*"), *top.glob("*/pod*")):
            found[directory.name.removeprefix("pod")] = f"/{directory.relative_to(root)}"
    return found


def processes(cgroups: Cgroups, path: str) -> set[int]:
    """Every process in the cgroup or below it. One hierarchy tells: a process is in all of them, and runc enters it into cpuset first."""
    roots = cgroups.roots()
    pending = [f"{next((root for root in roots if root.name == 'cpuset'), roots[0])}{path}"]
    found: set[int] = set()
    while pending:
        directory = pending.pop()
        with suppress(OSError):
            with open(f"{directory}/cgroup.procs", "rb") as file:
                found.update(int(line) for line in file)
            pending += _children(directory)
    return found


def kill_processes(cgroups: Cgroups, path: str) -> None:
    for pid in processes(cgroups, path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children(directory: str) -> list[str]:
    if os.stat(directory).st_nlink <= 2:               # the kernel counts them, so that the files need not be listed
        return []
    with os.scandir(directory) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _remove_tree(directory: str, attempts: int = 50) -> None:
    for _ in range(attempts):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # EBUSY: there are others below, or for as long as a killed process has not been reaped.
            with suppress(OSError):
                for child in (children := _children(directory)):
                    _remove_tree(child)
                with open(f"{directory}/cgroup.procs", "rb") as file:
                    pids = [int(line) for line in file]
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                if pids or not children:
                    time.sleep(0.002)
        else:
            return


class LegacyCgroups:
    """Version 1: a directory per controller; a unified hierarchy without controllers may stand beside them (hybrid)."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._roots = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.is_symlink() and entry.is_mount())

    def roots(self) -> list[Path]:
        return self._roots

    def create(self, path: str, resources: Resources) -> None:
        relative = path.lstrip("/")
        for root in self._roots:
            directory = root / relative
            try:
                directory.mkdir()
            except FileExistsError:
                continue
            except FileNotFoundError:
                directory.mkdir(parents=True, exist_ok=True)
            if root.name == "cpuset":
                _inherit_cpuset(root, relative)
        self.update(path, resources)

    def update(self, path: str, resources: Resources) -> None:
        relative = path.lstrip("/")
        if resources.cpu_shares is not None:
            self._write("cpu", relative, "cpu.shares", str(max(2, resources.cpu_shares)))
        if resources.cpu_quota_us is not None:
            self._write("cpu", relative, "cpu.cfs_period_us", str(resources.cpu_period_us))
            self._write("cpu", relative, "cpu.cfs_quota_us", str(resources.cpu_quota_us))
        if resources.memory_limit is not None:
            self._write("memory", relative, "memory.limit_in_bytes", str(resources.memory_limit))
        if resources.pids_limit is not None:
            self._write("pids", relative, "pids.max", str(resources.pids_limit) if resources.pids_limit > 0 else "max")

    def limits_huge_pages(self) -> bool:
        return self._root / "hugetlb" in self._roots

    def memory_in_use(self, path: str) -> int:
        return _number(self._root / "memory" / path.lstrip("/") / "memory.usage_in_bytes")

    def oom_kills(self, path: str) -> int:
        return _keyed(self._root / "memory" / path.lstrip("/") / "memory.oom_control", "oom_kill")

    def _write(self, controller: str, relative: str, name: str, value: str) -> None:
        directory = self._root / controller / relative
        if directory.is_dir():
            (directory / name).write_text(value)


class UnifiedCgroups:
    """Version 2: one hierarchy; a parent must hand its controllers down."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def roots(self) -> list[Path]:
        return [self._root]

    def create(self, path: str, resources: Resources) -> None:
        directory = self._root
        available = set((self._root / "cgroup.controllers").read_text().split())
        wanted = " ".join(f"+{name}" for name in ("cpu", "cpuset", "hugetlb", "io", "memory", "pids") if name in available)
        for part in path.strip("/").split("/"):
            with suppress(OSError):  # a parent that holds processes itself cannot hand controllers down
                (directory / "cgroup.subtree_control").write_text(wanted)
            directory /= part
            directory.mkdir(exist_ok=True)
        self.update(path, resources)

    def update(self, path: str, resources: Resources) -> None:
        directory = self._root / path.lstrip("/")
        if resources.cpu_shares is not None:
            (directory / "cpu.weight").write_text(str(cpu_weight(resources.cpu_shares)))
        if resources.cpu_quota_us is not None:
            quota = str(resources.cpu_quota_us) if resources.cpu_quota_us > 0 else "max"
            (directory / "cpu.max").write_text(f"{quota} {resources.cpu_period_us}")
        if resources.memory_limit is not None:
            (directory / "memory.max").write_text(str(resources.memory_limit) if resources.memory_limit > 0 else "max")
        if resources.pids_limit is not None:
            (directory / "pids.max").write_text(str(resources.pids_limit) if resources.pids_limit > 0 else "max")

    def limits_huge_pages(self) -> bool:
        return "hugetlb" in (self._root / "cgroup.controllers").read_text().split()

    def memory_in_use(self, path: str) -> int:
        return _number(self._root / path.lstrip("/") / "memory.current")

    def oom_kills(self, path: str) -> int:
        directory = self._root / path.lstrip("/")
        local = directory / "memory.events.local"
        return _keyed(local if local.exists() else directory / "memory.events", "oom_kill")


def cpu_weight(shares: int) -> int:
    """v1 shares (2..262144) on v2's scale (1..10000), as runc converts them."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def _inherit_cpuset(root: Path, relative: str) -> None:
    # A new cpuset is empty and takes no process: every level needs its parent's CPUs and memory nodes.
    directory = root
    for part in Path(relative).parts:
        parent, directory = directory, directory / part
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not (directory / name).read_text().strip():
                (directory / name).write_text((parent / name).read_text())


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _keyed(path: Path, key: str) -> int:
    try:
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0
