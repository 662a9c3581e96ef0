"""The machine's own network, for a process that lives in a node's: one thread that has gone back there for good.

A socket belongs to the network in which it was made, whoever uses it. Names are looked up there too, with the machine's /etc/resolv.conf:
a node's own says that there is no resolver.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from node_agent.runtime.syscalls import CLONE_FS, CLONE_NEWNET, CLONE_NEWNS, setns, unshare


class MachineNetwork:
    """Taken from the process that started this one: the launcher's, which stays outside of all nodes."""

    def __init__(self, parent_pid: int | None = None) -> None:
        """Call it early: namespaces are held open from now on. Raises OSError."""
        parent = parent_pid or os.getppid()
        self._held = [os.open(f"/proc/{parent}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "mnt")]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="machine-network", initializer=self._enter)

    def _enter(self) -> None:
        unshare(CLONE_FS)               # a thread of its own root directory may enter another mount namespace
        for descriptor, kind in zip(self._held, (CLONE_NEWNET, CLONE_NEWNS), strict=True):
            setns(descriptor, kind)

    def make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """For aiohttp's connector, which asks in the event loop's thread: it waits for some microseconds."""
        return self._thread.submit(socket.socket, info[0], info[1], info[2]).result()

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Whatever is done by it is done out there."""
        return self._thread

    def close(self) -> None:
        self._thread.shutdown(wait=False)
        for descriptor in self._held:
            os.close(descriptor)
