"""Ways to hurt a node: kill its kubelet at a moment that can be met again, give it another runc, take its cgroups' writability."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.cluster import cgroups
from launcher.cluster.layout import Layout
from launcher.cluster.settings import ClusterSettings
from launcher.testing.cluster import Cluster, eventually, run
from node_agent.runtime.pod_runtime import PROGRAMS_PATH
from node_agent.runtime.syscalls import IN_CREATE, IN_MOVED_TO, inotify_add_watch, inotify_init

IN_DELETE, IN_ATTRIB = 0x200, 0x4


def layout_of(cluster: Cluster) -> Layout:
    return Layout(ClusterSettings(name=cluster.name))


def agent_pid(cluster: Cluster, node: str, name: str = "kubelet") -> int:
    """0 while it does not run."""
    title = f"{name} --cluster {cluster.name} --node {node}".encode()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                if Path("/proc", entry, "cmdline").read_bytes().rstrip(b"\0") == title:
                    return int(entry)
    return 0


def running_agent(cluster: Cluster, node: str) -> int:
    """Its pid, once it runs: 0 would be the test itself and all that it has started."""
    return eventually(lambda: agent_pid(cluster, node))


def kill_agent(cluster: Cluster, node: str) -> None:
    os.kill(running_agent(cluster, node), signal.SIGKILL)


def revive_agent(cluster: Cluster, node: str) -> None:
    """Started again at once, whatever the supervisor's patience with one that fails often."""
    eventually(lambda: cluster.kubonsai_in("node", "start", node) and agent_pid(cluster, node))


class StepWatcher:
    """Counts what a node's runtime makes and removes on disk; kills the kubelet at the n-th such step.

    Counting begins with `with`; afterwards `killed` tells whether there were so many steps.
    """

    def __init__(self, cluster: Cluster, node: str, step: int) -> None:
        layout = layout_of(cluster)
        root, own_run = layout.state / "nodes" / node, layout.run / node
        self._pid = running_agent(cluster, node)
        self._left = step
        self._folders = [root / name for name in ("sandboxes", "containers", "pods", "exits")] + [
            own_run / name for name in ("b", "ns", "runc")] + [Path("/etc/netns"), Path("/run/netns")]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="steps")
        self.killed = False

    def __enter__(self) -> StepWatcher:
        self._inotify = inotify_init()
        for folder in self._folders:
            if folder.is_dir():
                inotify_add_watch(self._inotify, str(folder), IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ATTRIB)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._inotify)

    def _watch(self) -> None:
        while not self._ended.is_set():
            if select.select([self._inotify], [], [], 0.05)[0]:
                os.read(self._inotify, 272)            # one or a few at a time: steps that come together count as one
                self._left -= 1
                if self._left == 0:
                    os.kill(self._pid, signal.SIGKILL)
                    self.killed = True
                    return


@contextmanager
def runc_of_our_own(cluster: Cluster, node: str, folder: Path, timeout_s: float) -> Iterator[Path]:
    """A runc that does what the file it gives says: "ok", "fail" or "hang"; the kubelet waits `timeout_s` for it."""
    mode, programs = folder / "mode", folder / "bin"
    programs.mkdir(parents=True)
    mode.write_text("ok")
    broken = 'fail) echo "runc is out of order" >&2; exit 1;; hang) sleep 1000;;'
    script = f'case "$(cat {mode})" in {broken} esac\nexec {shutil.which("runc")} "$@"'
    (programs / "runc").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "runc").chmod(0o755)
    with changed_settings(cluster, node, runtime_programs_path=f"{programs}:{PROGRAMS_PATH}", runtime_request_timeout_s=timeout_s):
        yield mode


@contextmanager
def changed_settings(cluster: Cluster, node: str, **settings: object) -> Iterator[None]:
    """The kubelet runs with other settings, and with its own again afterwards."""
    file = layout_of(cluster).config / f"kubelet-{node}.json"
    before = file.read_text()
    file.write_text(json.dumps({**json.loads(before), **settings}))
    try:
        restart_agent(cluster, node)
        yield
    finally:
        file.write_text(before)
        restart_agent(cluster, node)


def restart_agent(cluster: Cluster, node: str) -> None:
    """Orderly, and waits for the new one."""
    old = running_agent(cluster, node)
    os.kill(old, signal.SIGTERM)
    eventually(lambda: agent_pid(cluster, node) not in (0, old))


@contextmanager
def cgroups_read_only(cluster: Cluster, node: str) -> Iterator[None]:
    """For the node's kubelet alone, in its own view of the file systems."""
    enter = ["nsenter", f"--mount=/proc/{running_agent(cluster, node)}/ns/mnt"]
    groups = [str(root / f"kubonsai/{cluster.name}/{node}/kubepods") for root in cgroups.hierarchies()]
    mounted = []
    try:
        for group in groups:
            if Path(group).is_dir():
                run([*enter, "mount", "--bind", group, group])
                mounted.append(group)
                run([*enter, "mount", "-o", "remount,bind,ro", group])
        yield
    finally:
        for group in mounted:
            subprocess.run([*enter, "umount", "-l", group], check=False)


def killed_when(cluster: Cluster, node: str, moment: float | int, act: Callable[[], object], patience_s: float = 3.0) -> bool:
    """Acts, kills the kubelet so many seconds after the call or at the n-th step that it makes, and starts it again.

    False if there were not so many steps: nothing was killed then.
    """
    killed = True
    if isinstance(moment, float):
        began = time.monotonic()
        act()
        time.sleep(max(0.0, began + moment - time.monotonic()))
        kill_agent(cluster, node)
    else:
        with StepWatcher(cluster, node, moment) as steps:
            act()
            deadline = time.monotonic() + patience_s
            while not steps.killed and time.monotonic() < deadline:
                time.sleep(0.01)
        killed = steps.killed
    if killed:
        revive_agent(cluster, node)
    return killed
