"""Making a Pod's user namespace, and with it those of network, IPC and host name, which have to be its own to be worth anything inside.

A process of many threads cannot enter a new user namespace. So a small one is started in the new namespaces, which waits until its ids are
mapped from out here and the namespaces are pinned, and then ends.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
import zlib
from contextlib import suppress
from pathlib import Path

from node_agent.runtime.idmaps import RANGE
from node_agent.runtime.model import Sandbox
from node_agent.runtime.processes import spawn, start_ticks
from node_agent.runtime.syscalls import MS_BIND, mount, setns, unmount

PATIENCE_S = 10.0
PODS_PER_NODE = 128                             # ranges; kubelet's maxPods is 110
NODES = 400


def id_block(root_dir: Path) -> int:
    """Where the ranges of a node's Pods begin: nodes of one machine should not share any."""
    return RANGE * (1 + PODS_PER_NODE * (zlib.crc32(str(root_dir).encode()) % NODES))


def make_user_namespace(sandbox: Sandbox) -> None:
    """Makes and pins the namespaces that the sandbox names. Raises OSError where the machine allows no user namespaces."""
    tool = shutil.which("unshare", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if tool is None:
        raise OSError("unshare is not installed")
    kinds = {"user": sandbox.user, "net": sandbox.net, "ipc": sandbox.ipc, "uts": sandbox.uts}
    wanted = [f"--{kind}" for kind, pin in kinds.items() if pin]
    inside, outside = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawn([tool, *wanted, "--", "/bin/sh", "-c", "read end"], {"PATH": "/usr/bin:/bin"}, {0: inside})
        try:
            _wait_for(pid)
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{pid}/{name}").write_text(f"0 {sandbox.first_id} {RANGE}")
            for kind, pin in kinds.items():
                if pin:
                    pin_namespace(f"/proc/{pid}/ns/{kind}", pin)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    finally:
        os.close(inside)
        os.close(outside)


def _wait_for(pid: int) -> None:
    ours, deadline = os.readlink("/proc/self/ns/user"), time.monotonic() + PATIENCE_S
    while os.readlink(f"/proc/{pid}/ns/user") == ours:          # all namespaces come with one call
        if not start_ticks(pid):
            raise OSError(errno.EPERM, "this machine makes no user namespace")
        if time.monotonic() > deadline:
            raise TimeoutError("the user namespace's first process did not start")
        time.sleep(0.001)


def pin_namespace(source: str, pin: str) -> None:
    """A bind mount keeps a namespace without a process."""
    Path(pin).parent.mkdir(parents=True, exist_ok=True)
    unmount(pin)
    Path(pin).touch()
    mount(source, pin, flags=MS_BIND)


def enter_namespaces(sandbox: Sandbox) -> None:
    """The calling thread, for good; not the user namespace, in which it would be nobody to the node."""
    for pin in (sandbox.net, sandbox.ipc, sandbox.uts):
        if pin:
            fd = os.open(pin, os.O_RDONLY | os.O_CLOEXEC)
            try:
                setns(fd)
            finally:
                os.close(fd)
