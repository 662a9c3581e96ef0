"""Connections to what a proxied request is for, and what is said when they fail."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Final

from control_plane.apiserver.dialing import Address

CONNECT_S: Final = 30.0
_LIMIT: Final = 256 * 1024      # read ahead


async def open_connection(
    address: Address, *, tls: ssl.SSLContext | None = None, name: str | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """`name`: what the server's certificate must be for, where `tls` checks it. Raises OSError."""
    async with asyncio.timeout(CONNECT_S):
        return await asyncio.open_connection(
            address.host, address.port, ssl=tls, server_hostname=(name or address.host) if tls else None, limit=_LIMIT
        )


def host_and_port(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def dial_problem(address: Address, error: BaseException) -> str:
    """As Go's dialer says it: "dial tcp 10.0.0.1:80: connect: connection refused"."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"tls: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return f"dial tcp {host_and_port(address)}: i/o timeout"
    number = getattr(error, "errno", None)
    return f"dial tcp {host_and_port(address)}: connect: {os.strerror(number).lower() if number else error}"
