"""attach: conmon's socket of a running container. Each packet starts with a byte: 2 standard output, 3 standard error."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from node_agent.runtime.model import ContainerRecord, RuntimeServiceError
from node_agent.runtime.processes import readable

STDOUT, STDERR = 2, 3
PACKET = 8192 + 1               # conmon's buffer and the stream's number


class AttachSession:
    """Frames of (stream, data) until the container ends; what is written goes to its standard input."""

    def __init__(self, connection: socket.socket, bundle: Path) -> None:
        self._connection = connection
        self._bundle = bundle

    async def read(self) -> tuple[int, bytes]:
        """(0, b"") at the end."""
        while True:
            try:
                packet = self._connection.recv(PACKET)
            except BlockingIOError:
                await readable(self._connection.fileno())
                continue
            except OSError:
                return 0, b""
            return (packet[0], packet[1:]) if packet else (0, b"")

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), PACKET - 1):
            await asyncio.get_running_loop().sock_sendall(self._connection, data[start : start + PACKET - 1])

    def close_stdin(self, *, and_output: bool) -> None:
        """conmon closes the container's, if it may (stdinOnce). With `and_output` nothing is read any more either: the end comes next."""
        self._connection.shutdown(socket.SHUT_RDWR if and_output else socket.SHUT_WR)

    def resize(self, width: int, height: int) -> None:
        control = os.open(self._bundle / "winsz", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(control, f"{height} {width}\n".encode())
        finally:
            os.close(control)

    def close(self) -> None:
        self._connection.close()


async def open_attach(record: ContainerRecord, bundle: Path) -> AttachSession:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, str(bundle / "attach"))
    except OSError as error:
        connection.close()
        raise RuntimeServiceError(f"cannot attach to container {record.name}: {error.strerror}") from error
    return AttachSession(connection, bundle)
