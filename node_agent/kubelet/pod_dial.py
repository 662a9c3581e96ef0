"""Connections into a Pod's network, to what listens on its loopback, as port-forward makes them. Follows containerd's CRI plugin.

A socket belongs to the namespace in which it was made, whoever uses it: the kernel thread makes it there, the event loop connects it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial
from typing import Final

from kube.apimachinery import errors
from netns.kernel import KernelThread

LIMIT: Final = 256 * 1024       # read ahead
_LOOPBACK: Final = (("tcp4", socket.AF_INET, "127.0.0.1"), ("tcp6", socket.AF_INET6, "::1"))
_CONNECT_S: Final = 30.0


async def dial_pod(kernel: KernelThread, netns_path: str, pod_uid: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """`netns_path` "" is the node's own. IPv4 first. Raises InternalError in containerd's words."""
    failures = []
    for network, family, host in _LOOPBACK:
        try:
            return await _connect(kernel, netns_path, family, host, port)
        except OSError as error:
            shown = f"[{host}]" if ":" in host else host
            failures.append(f"dial {network} {shown}:{port}: {_reason(error)}")
    where = f"{netns_path!r}".replace("'", '"') if netns_path else '"host"'
    raise errors.InternalError(
        f"failed to execute portforward in network namespace {where}: failed to connect to localhost:{port} inside namespace "
        f'"{pod_uid}", IPv4: {failures[0]} IPv6 {failures[1]} '
    )


async def _connect(
    kernel: KernelThread, netns_path: str, family: socket.AddressFamily, host: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connection = await kernel.run_in(netns_path or None, partial(socket.socket, family, socket.SOCK_STREAM))
    try:
        connection.setblocking(False)
        async with asyncio.timeout(_CONNECT_S):
            await asyncio.get_running_loop().sock_connect(connection, (host, port))
        return await asyncio.open_connection(sock=connection, limit=LIMIT)
    except BaseException:
        connection.close()
        raise


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError) and error.errno is None:
        return "i/o timeout"
    return f"connect: {os.strerror(error.errno).lower()}" if error.errno else str(error)
