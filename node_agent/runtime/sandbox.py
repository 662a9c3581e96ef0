"""A Pod's sandbox: network, IPC and UTS namespaces without a process, each pinned by a bind mount of its file in /proc.

A thread of its own makes them (unshare), names the host, pins them and ends, so that neither the event loop nor the kernel thread ever
leaves the node's namespaces. The network namespace is pinned below /run/netns, where `ip netns` finds it; /etc/netns/NAME/resolv.conf
gives names inside `ip netns exec`. A process (`pid_holder`) exists only where containers share a PID namespace.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from kube.apimachinery.go_text import go_error
from node_agent.runtime.idmaps import RANGE
from node_agent.runtime.model import RuntimeServiceError, Sandbox, SandboxConfig
from node_agent.runtime.processes import spawn
from node_agent.runtime.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    mount,
    sethostname,
    unmount,
    unshare,
)
from node_agent.runtime.user_namespaces import enter_namespaces, id_block, make_user_namespace, pin_namespace

NETNS_DIR = Path("/run/netns")
NETNS_ETC = Path("/etc/netns")
MAX_NAME = 200                              # of the 255 bytes that a file name may have

# What containerd sets in a new network namespace: Pods may bind low ports and ping without privileges.
NETWORK_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


def netns_name(prefix: str, namespace: str, pod: str, uid: str) -> str:
    """Readable and unique: "default-web-0-1a2b3c4d", behind the cluster's prefix."""
    return f"{prefix}{namespace}-{pod}"[:MAX_NAME] + f"-{uid.replace('-', '')[:8]}"


class SandboxStore:
    """Makes, remembers on disk and removes sandboxes. Synchronous: runs in a worker thread, each call a few milliseconds."""

    def __init__(self, root_dir: Path, run_dir: Path, netns_prefix: str, now: Callable[[], float]) -> None:
        self._records = root_dir / "sandboxes"
        self._pins = run_dir / "ns"
        self._prefix = netns_prefix
        self._now = now
        self._ids: dict[str, int] = {}          # first id of each Pod with a user namespace
        self._ids_lock = threading.Lock()       # sandboxes are made in several threads
        self._ids_from = id_block(root_dir)
        self._records.mkdir(parents=True, exist_ok=True)
        self._pins.mkdir(parents=True, exist_ok=True)

    def load(self) -> tuple[list[Sandbox], list[Sandbox]]:
        """Sandboxes of an earlier run whose namespaces still stand, and the others (the machine restarted), which are gone now."""
        found, gone = [], []
        for directory in self._records.iterdir():
            try:
                sandbox = msgspec.json.decode((directory / "sandbox.json").read_bytes(), type=Sandbox)
            except (OSError, msgspec.DecodeError):
                shutil.rmtree(directory, ignore_errors=True)
                continue
            if _stands(sandbox):
                found.append(sandbox)
                if sandbox.user:
                    self._ids[sandbox.config.uid] = sandbox.first_id
            else:
                self.remove(sandbox)
                gone.append(sandbox)
        for pins in self._pins.iterdir():
            if not (self._records / pins.name).exists():
                for pin in pins.iterdir():
                    unmount(str(pin))
                shutil.rmtree(pins, ignore_errors=True)
        return found, gone

    def create(self, config: SandboxConfig) -> Sandbox:
        directory = self._records / config.uid
        directory.mkdir(exist_ok=True)
        name = "" if config.host_network else netns_name(self._prefix, config.namespace, config.name, config.uid)
        pins = self._pins / config.uid
        pins.mkdir(exist_ok=True)
        sandbox = Sandbox(
            config=config, netns_name=name, created_at=self._now(), user=str(pins / "user") if config.own_users else "",
            first_id=self._take_ids(config.uid) if config.own_users else 0,
            net=str(NETNS_DIR / name) if name else "",
            ipc="" if config.host_ipc else str(pins / "ipc"),
            uts="" if config.host_network else str(pins / "uts"),
            shm="" if config.host_ipc else str(directory / "shm"),
        )
        try:
            self.save(sandbox)
            if sandbox.user:
                make_user_namespace(sandbox)
            _in_thread(lambda: _make_namespaces(sandbox))
            if sandbox.shm:
                _mount_shm(Path(sandbox.shm), sandbox.first_id)
            if name:
                (NETNS_ETC / name).mkdir(parents=True, exist_ok=True)
                (NETNS_ETC / name / "resolv.conf").write_text(config.resolv_conf)
            if config.share_pid and not config.host_pid:
                sandbox = msgspec.structs.replace(sandbox, pid_holder=_hold_pids(pins, sandbox))
                self.save(sandbox)
        except OSError as error:
            self.remove(sandbox)
            raise RuntimeServiceError(f"failed to create sandbox namespaces: {go_error(error)}") from error
        return sandbox

    def _take_ids(self, uid: str) -> int:
        with self._ids_lock:
            taken = set(self._ids.values()) - {self._ids.get(uid)}
            self._ids[uid] = next(first for first in itertools.count(self._ids_from, RANGE) if first not in taken)
            return self._ids[uid]

    def save(self, sandbox: Sandbox) -> None:
        path = self._records / sandbox.config.uid / "sandbox.json"
        temporary = path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(sandbox))
        temporary.rename(path)

    def remove(self, sandbox: Sandbox) -> None:
        if _holds(sandbox.pid_holder):
            with suppress(ProcessLookupError):
                os.kill(sandbox.pid_holder, signal.SIGKILL)
        elif sandbox.config.share_pid and not sandbox.pid_holder:
            _end_unrecorded_holder(self._pins / sandbox.config.uid / "holder" / "pid")
        for pin in (sandbox.net, sandbox.ipc, sandbox.uts, sandbox.user):
            if pin:
                unmount(pin)
                Path(pin).unlink(missing_ok=True)
        self._ids.pop(sandbox.config.uid, None)
        if sandbox.shm:
            unmount(sandbox.shm)
        if sandbox.netns_name:
            shutil.rmtree(NETNS_ETC / sandbox.netns_name, ignore_errors=True)
        shutil.rmtree(self._pins / sandbox.config.uid, ignore_errors=True)
        shutil.rmtree(self._records / sandbox.config.uid, ignore_errors=True)


def _stands(sandbox: Sandbox) -> bool:
    """False for one that was never finished, whose machine was off since, or whose first process was killed."""
    if not all(os.path.ismount(pin) for pin in (sandbox.net, sandbox.ipc, sandbox.uts, sandbox.user, sandbox.shm) if pin):
        return False
    return holds_pids(sandbox)


def holds_pids(sandbox: Sandbox) -> bool:
    """False where containers share a PID namespace whose first process was killed: nothing can start in it any more."""
    return not sandbox.config.share_pid or sandbox.config.host_pid or _holds(sandbox.pid_holder)


def _holds(pid: int) -> bool:
    """Whether that process is a holder: its number may be another's by now."""
    try:
        return pid > 0 and Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\0infinity\0"
    except OSError:
        return False


def _end_unrecorded_holder(pid_file: Path) -> None:
    """Of a kubelet that was killed before it knew the holder: its parent, which takes it along, has the file's name in its arguments."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                arguments = Path("/proc", name, "cmdline").read_bytes()
                if str(pid_file).encode() in arguments and b"--kill-child" in arguments:
                    os.kill(int(name), signal.SIGKILL)


def _make_namespaces(sandbox: Sandbox) -> None:
    if sandbox.user:
        enter_namespaces(sandbox)
        _set_up(sandbox)
        return
    flags = (CLONE_NEWNET if sandbox.net else 0) | (CLONE_NEWIPC if sandbox.ipc else 0) | (CLONE_NEWUTS if sandbox.uts else 0)
    if flags:
        unshare(flags)
    _set_up(sandbox)
    for kind, pin in (("net", sandbox.net), ("ipc", sandbox.ipc), ("uts", sandbox.uts)):
        if pin:
            pin_namespace(f"/proc/thread-self/ns/{kind}", pin)


def _set_up(sandbox: Sandbox) -> None:
    config = sandbox.config
    if sandbox.uts:
        sethostname(config.hostname)
    for name, value in ((NETWORK_SYSCTLS if sandbox.net else {}) | config.sysctls).items():
        # What the namespaces that stay the node's have is refused before; this is the second lock.
        if sandbox.net if name.startswith("net.") else sandbox.ipc:
            _sysctl_file(name).write_text(value)


def _sysctl_file(name: str) -> Path:
    """Raises OSError for a name that would lead out of /proc/sys."""
    parts = [part.replace("/", ".") for part in name.split(".")]       # a slash is a dot within a part: net.ipv4.conf.eth0/1.forwarding
    if any(not part.strip(".") for part in parts):
        raise OSError(errno.EINVAL, f"invalid sysctl name {name!r}")
    return Path("/proc/sys", *parts)


def _mount_shm(path: Path, owner: int) -> None:
    path.mkdir(exist_ok=True)
    if not os.path.ismount(path):
        options = f"mode=1777,size=65536k,uid={owner},gid={owner}"
        mount("shm", str(path), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)


def _hold_pids(pins: Path, sandbox: Sandbox) -> int:
    # Ignoring SIGCHLD, which survives exec, makes the kernel reap every orphan of the namespace. /proc is the node's: it shows the
    # outer pid. setsid forks, so that nobody here has to wait for the holder.
    place = pins / "holder"
    place.mkdir(exist_ok=True)
    os.chown(place, sandbox.first_id, sandbox.first_id)
    pid_file = place / "pid"
    pid_file.unlink(missing_ok=True)
    script = f"read pid rest </proc/self/stat; echo $pid >{pid_file}.new; mv {pid_file}.new {pid_file}; trap '' CHLD; exec sleep infinity"
    setsid = shutil.which("setsid") or "/usr/bin/setsid"
    search_path = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}
    inside = ["nsenter", f"--user={sandbox.user}", "--setuid=0", "--setgid=0"] if sandbox.user else []
    argv = [setsid, "--fork", *inside, "unshare", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script]
    silence = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)  # unshare complains of a harmless sigprocmask
    try:
        os.waitpid(spawn(argv, search_path, {1: silence, 2: silence}), 0)
    finally:
        os.close(silence)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if pid_file.exists():
            return int(pid_file.read_text())
        time.sleep(0.001)
    raise OSError(errno.ETIMEDOUT, "the PID namespace's first process did not start")


def _in_thread(work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="sandbox")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
