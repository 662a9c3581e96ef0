"""One start of conmon: it makes the container through `runc create`, then stays as its parent, writes its log in CRI format and, at
its end, the exit file.

Without --full-attach (or a socket directory) conmon 2.1.6 dies silently. The path of its attach socket, below the bundle, must fit
into 108 bytes. Standard output must not be a pipe of ours: the container inherits it and a reader would wait as long as it lives.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node_agent.runtime.model import StartFailedError
from node_agent.runtime.processes import readable, reap, spawn

SYNC_FD = 3


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are."""

    conmon: str
    runc: str
    runc_root: str
    timeout_s: float = 120.0            # for one step of a container; kubelet's runtimeRequestTimeout

    def runc_command(self, *arguments: str) -> list[str]:
        return [self.runc, "--root", self.runc_root, *arguments]


@dataclass(frozen=True, slots=True)
class ConmonStart:
    container_id: str
    bundle: Path
    log_path: str
    exits_dir: str
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False


def environment() -> dict[str, str]:
    path = os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return {"PATH": path, "XDG_RUNTIME_DIR": "/run", "GOMAXPROCS": "1"}


async def create_container(tools: Tools, start: ConmonStart) -> tuple[int, int]:
    """Returns the pids of the container's first process, which waits at its exec fifo, and of conmon.

    Raises StartFailedError. Then, and when it is cancelled, nothing is left running but what is in the container's cgroup.
    """
    bundle = start.bundle
    reader, writer = os.pipe2(os.O_CLOEXEC)
    log = os.open(bundle / "conmon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        try:
            pid = spawn(_arguments(tools, start), environment() | {"_OCI_SYNCPIPE": str(SYNC_FD)}, {1: log, 2: log, SYNC_FD: writer})
        finally:
            os.close(writer)
            os.close(log)
        try:
            async with asyncio.timeout(tools.timeout_s):
                answer = await _read_line(reader)
                await reap(pid)  # the first of conmon's two forks; the second stays
        except (TimeoutError, asyncio.CancelledError) as error:
            abandon(start.container_id)
            with suppress(ChildProcessError):
                os.kill(pid, signal.SIGKILL)  # ours until it is waited for
                os.waitpid(pid, 0)  # noqa: ASYNC222 - it has been killed
            if isinstance(error, TimeoutError):
                raise StartFailedError("context deadline exceeded") from error
            raise
    finally:
        os.close(reader)
    return _interpret(answer, bundle)


def _arguments(tools: Tools, start: ConmonStart) -> Sequence[str]:
    bundle = start.bundle
    # conmon leaves a file "oom" in its working directory, whatever --persist-dir says; posix_spawn cannot change that, env can.
    arguments = [
        "/usr/bin/env", "-C", str(bundle), tools.conmon, "--full-attach", "--no-sync-log",
        "-c", start.container_id, "-u", start.container_id, "-n", start.container_id,
        "-r", tools.runc, "--runtime-arg", f"--root={tools.runc_root}", "-b", str(bundle), "-p", str(bundle / "pidfile"),
        "-P", str(bundle / "conmon.pid"), "-l", f"k8s-file:{start.log_path}", "--exit-dir", start.exits_dir,
        "--persist-dir", str(bundle), "--log-level", "error",
    ]
    if start.tty:
        arguments.append("-t")
    if start.stdin:
        arguments.append("-i")
        if start.tty or not start.stdin_once:       # a terminal's stays open in any case, as with containerd
            arguments.append("--leave-stdin-open")
    return arguments


def _interpret(answer: bytes, bundle: Path) -> tuple[int, int]:
    try:
        reply = json.loads(answer)
        pid = int(reply.get("pid", reply.get("data", -1)))
        message = str(reply.get("message", ""))
    except (ValueError, AttributeError):
        pid, message = -1, ""
    if pid <= 0:
        if not message:
            with suppress(OSError):
                message = (bundle / "conmon.log").read_text(errors="replace")
        raise StartFailedError(runc_message(message) or "conmon ended without an answer")
    conmon_pid = 0
    with suppress(OSError, ValueError):
        conmon_pid = int((bundle / "conmon.pid").read_text())
    return pid, conmon_pid


def abandon(container_id: str) -> None:
    """Kills the container's conmon, if there is one, and what that has started in its own session: a `runc create` that hangs, say."""
    for pid in _conmons(container_id):
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)


def _conmons(container_id: str) -> list[int]:
    """By their arguments: a conmon writes its pid file a moment after its start, and is in none when its parent was killed before."""
    wanted, found = container_id.encode(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                arguments = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
                if wanted in arguments and (b"conmon" in arguments[0] or arguments[0] == b"/usr/bin/env"):
                    found.append(int(name))
    return found


def runc_message(text: str) -> str:
    """What runc printed, without the dressing of its log lines."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1]
    if "msg=" in line:
        quoted = line.partition("msg=")[2].strip()
        with suppress(ValueError):
            return str(json.loads(quoted[: quoted.rindex('"') + 1]))
    return line.strip()


async def _read_line(fd: int) -> bytes:
    os.set_blocking(fd, False)
    received = b""
    while not received.endswith(b"\n"):
        await readable(fd)
        part = os.read(fd, 65536)
        if not part:
            break
        received += part
    return received


async def release(exec_fifo: Path) -> None:
    """Lets a created container run: what `runc start` does, without starting a program. Its first process writes one byte when it goes."""
    fd = os.open(exec_fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        await readable(fd)
        os.read(fd, 1)
    finally:
        os.close(fd)
    with suppress(FileNotFoundError):
        exec_fifo.unlink()
