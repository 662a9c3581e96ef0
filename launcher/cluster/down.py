"""`down`: nothing is left. It needs no part of the cluster to answer, and works on half of one, or on one that crashed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

import msgspec

from kube.process.config import ConfigError
from launcher.cluster import cgroups, kubeconfig, machines
from launcher.cluster.errors import DownIncomplete, ZygoteUnavailable
from launcher.cluster.layout import LOG_ROOT, RUN_ROOT, STATE_ROOT, Layout
from launcher.cluster.progress import Progress
from launcher.cluster.zygote_client import Request, ask, end_leftovers, recorded_processes
from netns import fabric, namespaces
from node_agent.runtime.idmaps import remove_open_roots

MAX_STACKED = 4
KEPT = ("pki", "etcd", "volumes", "cluster.json", "machines.json", "api-port")      # what --keep-data leaves


class _SandboxRecord(msgspec.Struct):
    """What `down` needs of a kubelet's record of a sandbox."""

    netns_name: str = ""


def down(layout: Layout, progress: Progress, *, keep_data: bool = False) -> None:
    """Ends the cluster and removes what it made. The caller holds the cluster's lock. Raises DownIncomplete."""
    left: list[str] = []
    with progress.step("ending processes"):
        _end_processes(layout, gently=keep_data)
        left += [f"process {pid}" for pid in cgroups.kill(layout.cgroup)]
    with progress.step("removing namespaces, mounts and control groups"):
        _remove_namespaces(layout)
        left += [f"control group {folder}" for folder in cgroups.remove(layout.cgroup)]
    with progress.step("removing files"):
        left += _remove_files(layout, keep_data=keep_data)
        with contextlib.suppress(ConfigError):      # a kubeconfig that cannot be read holds nothing of ours
            kubeconfig.remove(kubeconfig.user_file(), layout.settings.context, layout.settings.user)
    if left:
        raise DownIncomplete("could not be removed: " + ", ".join(left))


def _end_processes(layout: Layout, *, gently: bool) -> None:
    """etcd ends in order when its data is kept. For the rest a quick end is as good: all that they hold goes with them."""
    with contextlib.suppress(ZygoteUnavailable):
        if gently:
            ask(layout.run / "zygote.sock", Request(op="shutdown"))
            deadline = time.monotonic() + 8.0
            while recorded_processes(layout.process_table) and time.monotonic() < deadline:
                time.sleep(0.01)
    end_leftovers(layout.process_table)


def _remove_namespaces(layout: Layout) -> None:
    for name in _sandbox_names(layout):
        namespaces.delete_named(name)
        shutil.rmtree(Path("/etc/netns", name), ignore_errors=True)
    for folder in layout.run.iterdir() if layout.run.is_dir() else ():
        if folder.is_dir():
            for kind in machines.PINNED:
                machines.unmount(folder / kind)
            remove_open_roots(folder)
    fabric.delete_fabric(layout.fabric_netns)
    for name in namespaces.list_named(f"{layout.name}-node"):
        namespaces.delete_named(name)
    with contextlib.suppress(OSError):
        Path("/etc/netns").rmdir()


def _sandbox_names(layout: Layout) -> set[str]:
    """Names in /run/netns that the cluster's kubelets gave: each is written down before its namespace is made."""
    names: set[str] = set()
    for record in layout.state.glob("nodes/*/sandboxes/*/sandbox.json"):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            names.add(msgspec.json.decode(record.read_bytes(), type=_SandboxRecord).netns_name)
    return names - {""}


def _detach_loops(folder: Path) -> None:
    """Loop devices of volumes that were handed out raw stay when all else has ended; those of file systems went with their mounts."""
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if Path(entry.read_text().strip()).is_relative_to(folder):
                subprocess.run(("losetup", "-d", f"/dev/{entry.parts[3]}"), check=False, capture_output=True)


def _remove_files(layout: Layout, *, keep_data: bool) -> list[str]:
    for _ in range(MAX_STACKED):        # a mount may hide another on the same folder
        for point in sorted(_mounts_below(layout.run, layout.state), key=len, reverse=True):
            machines.unmount(Path(point))
    _detach_loops(layout.block_volumes)
    for folder in (layout.run, layout.logs):
        shutil.rmtree(folder, ignore_errors=True)
    for entry in layout.state.iterdir() if layout.state.is_dir() else ():
        if keep_data and entry.name in KEPT:
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()
    if not keep_data:
        shutil.rmtree(layout.state, ignore_errors=True)
    for parent in (RUN_ROOT, LOG_ROOT, STATE_ROOT / "clusters"):
        with contextlib.suppress(OSError):
            parent.rmdir()
    if not (STATE_ROOT / "clusters").exists():      # the last one; other nodes have theirs mounted on it
        with contextlib.suppress(OSError):
            machines.ETC_KUBERNETES.rmdir()
    return [str(path) for path in (layout.run, *(() if keep_data else (layout.state,))) if path.exists()]


def remove_caches() -> None:
    """What clusters share and none uses any more: the image store. After the last cluster of `down --all`."""
    shutil.rmtree(STATE_ROOT, ignore_errors=True)
    if namespaces.FOLDER in machines.mount_points() and not namespaces.list_named():
        machines.unmount(namespaces.FOLDER)
        with contextlib.suppress(OSError):
            namespaces.FOLDER.rmdir()


def _mounts_below(*folders: Path) -> set[str]:
    return {str(point) for point in machines.mount_points() if any(point == folder or folder in point.parents for folder in folders)}
