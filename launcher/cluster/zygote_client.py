"""The zygote's protocol: what a process is, and the requests it takes on its socket. One JSON message per packet."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from typing import Literal

import msgspec

from launcher.cluster.errors import ZygoteUnavailable

MAX_MESSAGE = 1 << 20
FIRST_INHERITED_FD = 3      # where a process with `api_socket` finds the host's listening socket


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the cluster. With `module` the zygote forks and calls module.main(arguments); without, it executes `arguments`."""

    name: str
    node: str
    arguments: tuple[str, ...]
    log_file: str
    module: str = ""
    namespaces: dict[str, str] = {}      # "net", "uts", "mnt" -> path to enter
    cgroup: str = ""                     # in the tracking hierarchy
    environment: dict[str, str] = {}
    api_socket: bool = False             # inherits the host's listening sockets (ApiserverConfig.listen_fds)

    @property
    def key(self) -> str:
        return f"{self.name}/{self.node}"


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    node: str
    pid: int                             # 0: not running
    started_at: float                    # seconds since the epoch
    start_ticks: int                     # field 22 of /proc/PID/stat: tells a reused pid from ours
    restarts: int
    log_file: str
    last_code: int = 0                   # what it ended with the last time, if it has; -9: by SIGKILL


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """ensure: run these, now and after every exit. stop: end them and forget. restart: end them, they come back."""

    op: Literal["ensure", "stop", "restart", "list", "shutdown"]
    specs: tuple[ProcessSpec, ...] = ()
    keys: tuple[str, ...] = ()           # NAME/NODE


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    error: str = ""
    zygote_pid: int = 0
    processes: tuple[ProcessState, ...] = ()


def ask(socket_path: Path, request: Request, timeout_s: float = 15.0) -> Reply:
    """One request, one reply. Raises ZygoteUnavailable when there is no zygote or it does not answer in time."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as connection:
        connection.settimeout(timeout_s)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE)
        try:
            connection.connect(str(socket_path))
            connection.send(msgspec.json.encode(request))
            answer = connection.recv(MAX_MESSAGE)
        except OSError as error:
            raise ZygoteUnavailable(f"{socket_path}: {error}") from error
    if not answer:
        raise ZygoteUnavailable(f"{socket_path}: closed without an answer")
    return msgspec.json.decode(answer, type=Reply)


def start_ticks(pid: int) -> int:
    """When a process began, in clock ticks since boot: with the pid, an identity. 0 when there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def recorded_processes(table_file: Path) -> list[ProcessState]:
    """The processes of the zygote's last table that still run."""
    try:
        states = msgspec.json.decode(table_file.read_bytes(), type=list[ProcessState])
    except (OSError, msgspec.MsgspecError):
        return []
    return [state for state in states if state.pid and start_ticks(state.pid) == state.start_ticks]


def end_leftovers(table_file: Path, timeout_s: float = 5.0) -> None:
    """Ends what a zygote left when it died: nobody would restart it. Containers are not among them."""
    deadline = time.monotonic() + timeout_s
    while (alive := recorded_processes(table_file)) and time.monotonic() < deadline:
        for state in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGKILL)
        time.sleep(0.01)
