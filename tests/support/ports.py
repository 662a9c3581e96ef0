"""Ports on loopback for servers that a test starts, and starts again: nobody else takes one in between.

They lie below those that the kernel gives to clients, and each is kept by a socket in the abstract namespace, which every test of this
machine looks at first and which goes with its process.
"""

from __future__ import annotations

import random
import socket
from contextlib import closing

LOWEST, HIGHEST = 12000, 29999      # NodePorts and what the kernel gives to clients come after
_kept: list[socket.socket] = []


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        if _keep(port := random.randint(LOWEST, HIGHEST)):
            ports.append(port)
    return ports


def _keep(port: int) -> bool:
    """Whether it is this process's from now on."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0kubonsai-test-port-{port}")
        with closing(socket.socket()) as probe:
            probe.bind(("", port))
    except OSError:
        mark.close()
        return False
    _kept.append(mark)
    return True
