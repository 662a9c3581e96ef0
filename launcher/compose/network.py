"""How the control plane's containers come into the control-plane node's network, and leave it when that node goes.

Docker could do it (`network_mode: service:...`), but after the engine's restart members stay dead when they start before the network's
owner: measured, 2 of 5, and nothing starts them again (docs/adr/0006). Here the owner gives away a descriptor of its network namespace
on a unix socket, a member enters it by itself, and waits where Docker would give up. The connection stays open: when it breaks, the
network is gone, and the kernel ends the member with SIGTERM (fcntl(2): O_ASYNC, F_SETSIG). Its restart policy starts it again, and it
waits for the next network.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from launcher.compose.paths import NETWORK_SOCKET
from netns.kernel import check, libc

CLONE_NEWNET = 0x40000000
RETRY_S = 0.1


def main(argv: Sequence[str] | None = None) -> int:
    """Hands this container's network namespace to everyone who connects, for as long as the container lives."""
    serve(NETWORK_SOCKET)
    return 0


def serve(path: Path) -> None:
    members: list[socket.socket] = []       # kept open: their end is how a member learns that this network is gone
    descriptor = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(16)
        while True:
            member, _ = listener.accept()
            with contextlib.suppress(OSError):
                socket.send_fds(member, [b"n"], [descriptor])
                members = [held for held in members if not _has_ended(held)] + [member]


def enter(path: Path = NETWORK_SOCKET) -> None:
    """The calling process enters the network as soon as somebody gives it, and gets SIGTERM when it goes, also after an exec.

    Needs CAP_SYS_ADMIN, one thread, and not to be process 1, which signals without a handler do not reach.
    """
    print("entering the control-plane node's network as soon as it is there", file=sys.stderr)  # noqa: T201
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
        except OSError:
            descriptors = []
        if descriptors:
            _end_with(connection)
            check(libc().setns(descriptors[0], CLONE_NEWNET))
            os.close(descriptors[0])
            if not _has_ended(connection):
                connection.detach()
                return
        connection.close()
        time.sleep(RETRY_S)


def _end_with(connection: socket.socket) -> None:
    """From now on the connection's end is our SIGTERM."""
    descriptor = connection.fileno()
    os.set_inheritable(descriptor, True)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


def _has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
