"""Control groups of a cluster: one subtree below /kubonsai/NAME, in every hierarchy of cgroup v1 or in the one of v2.

One hierarchy tracks processes (`tracking_root`): whatever a cluster starts is below its folder there, so that `down` finds and ends it
even when nothing else is known any more. https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")


def is_v2() -> bool:
    return (MOUNT / "cgroup.controllers").exists()


def tracking_root() -> Path:
    """v2, or the v2 hierarchy of a hybrid machine (it can kill a whole subtree), or v1's pids."""
    if is_v2():
        return MOUNT
    unified = MOUNT / "unified"
    return unified if (unified / "cgroup.procs").exists() else MOUNT / "pids"


def hierarchies() -> list[Path]:
    """The roots that containers are limited by: every v1 controller once, or v2's one; the tracking one is among them."""
    if is_v2():
        return [MOUNT]
    found = {path.resolve() for path in MOUNT.iterdir() if (path / "cgroup.procs").exists()}
    return sorted(found)


def join(group: str) -> None:
    """Moves the calling process (one thread) into a group of the tracking hierarchy, which is made if need be."""
    folder = tracking_root() / group.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.procs").write_text("0")


def create(group: str) -> None:
    """Makes a group in every hierarchy, ready to hold containers' groups."""
    for root in hierarchies():
        folder = root
        for part in group.strip("/").split("/"):
            if is_v2():
                _enable_controllers(folder)
            folder = folder / part
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
            _weigh(folder)


def _weigh(folder: Path) -> None:
    """As many shares as the machine has CPUs: by default a group, with all containers in it, weighs no more than one process beside it."""
    cpus = os.cpu_count() or 1
    for name, weight in (("cpu.shares", 1024 * cpus), ("cpu.weight", min(100 * cpus, 10_000))):
        if (folder / name).exists():
            (folder / name).write_text(str(weight))


def _enable_controllers(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    for controller in available:
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(folder: Path) -> None:
    """v1: a new cpuset group is empty and takes no process until it has CPUs and memory nodes."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.exists() and not is_v2() and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def processes(group: str) -> set[int]:
    """Every process below a group, in any hierarchy."""
    pids: set[int] = set()
    for root in hierarchies():
        for folder in _deepest_first(root / group.lstrip("/")):
            with contextlib.suppress(OSError):
                pids.update(int(line) for line in (folder / "cgroup.procs").read_text().split())
    return pids


def kill(group: str, timeout_s: float = 10.0) -> set[int]:
    """SIGKILLs every process below a group and waits until they are gone; returns those that would not go."""
    switch = tracking_root() / group.lstrip("/") / "cgroup.kill"
    deadline = time.monotonic() + timeout_s
    while pids := processes(group) - {os.getpid()}:
        if time.monotonic() > deadline:
            return pids
        with contextlib.suppress(OSError):
            switch.write_text("1")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    return set()


def remove(group: str, timeout_s: float = 3.0) -> list[Path]:
    """Removes a group and all below it in every hierarchy; returns what is still there."""
    deadline = time.monotonic() + timeout_s
    while True:
        left = [folder for root in hierarchies() for folder in _deepest_first(root / group.lstrip("/")) if not _rmdir(folder)]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.01)      # the kernel lets go of a dead process's group a moment after its end
    for root in hierarchies():
        with contextlib.suppress(OSError):
            (root / group.lstrip("/")).parent.rmdir()      # /kubonsai, when this was the last cluster
    return left


def _rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _deepest_first(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for parent, names, _ in os.walk(folder, topdown=False):
            del names
            yield Path(parent)
