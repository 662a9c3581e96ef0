"""exec: one more process in a running container, through `runc exec`.

Without a terminal runc copies between our pipes and its own. With one, runc gets our terminal as its own, sets it raw and copies between
it and the one in the container; on SIGWINCH it takes over our terminal's size. Its exit code is the command's.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import secrets
import signal
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.runtime.conmon import Tools, environment
from node_agent.runtime.model import ContainerRecord, ExecResult, RuntimeServiceError
from node_agent.runtime.processes import readable, reap, spawn, writable

CHUNK = 256 * 1024                  # read at once, and held by a pipe: each turn costs more than its bytes
END_GRACE_S, END_POLL_S = 2.0, 0.02
OUTPUT_LIMIT = 10 * 1024            # of a probe or hook; kubelet's maxRespBodyLength


@dataclass(frozen=True, slots=True)
class ExecFiles:
    """What one exec has in the container's bundle."""

    log: Path
    spec: Path
    pid: Path

    @classmethod
    def in_bundle(cls, bundle: Path) -> ExecFiles:
        token = secrets.token_hex(4)
        return cls(*(bundle / f"exec-{token}.{suffix}" for suffix in ("log", "json", "pid")))

    def remove(self) -> None:
        for file in (self.log, self.spec, self.pid):
            file.unlink(missing_ok=True)


class ExecSession:
    """A running exec. Read from `stdout` and `stderr` until b""; `wait()` gives the exit code; `close()` or `leave()` in every case."""

    def __init__(self, pid: int, files: ExecFiles, stdin: int, stdout: int, stderr: int, terminal: int = -1) -> None:
        self._pid = pid
        self._files = files
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._terminal = terminal
        self._exit: asyncio.Task[int] = asyncio.create_task(reap(pid), name="runc exec")

    async def read_stdout(self) -> bytes:
        return await _read(self._stdout)

    async def read_stderr(self) -> bytes:
        data = await _read(self._stderr) if self._stderr >= 0 else b""
        return data if data and await self._has_started() else b""      # else it is runc's: why it could not start, as `wait` says

    async def write(self, data: bytes) -> None:
        """Into standard input; quietly dropped once the command has closed it."""
        if self._stdin < 0:
            return
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                await writable(self._stdin)
            except OSError:
                self.close_stdin()
                return

    def close_stdin(self) -> None:
        if self._stdin >= 0 and self._stdin != self._terminal:
            os.close(self._stdin)
            self._stdin = -1

    def resize(self, width: int, height: int) -> None:
        if self._terminal >= 0 and 0 < width < 1 << 16 and 0 < height < 1 << 16:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            self.signal(signal.SIGWINCH)

    def signal(self, number: int) -> None:
        if not self._exit.done():
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    async def wait(self) -> int:
        """The exit code; 128 + n for signal n. Raises RuntimeServiceError if the command could not be started."""
        code = await asyncio.shield(self._exit)
        if code and not self._files.pid.exists() and (message := self._failure()):
            raise RuntimeServiceError(message)
        return code if code >= 0 else 128 - code

    async def _has_started(self) -> bool:
        while not self._files.pid.exists():         # runc writes it when the command runs, and the command may have spoken by then
            if self._exit.done():
                return self._files.pid.exists()
            await asyncio.wait((self._exit,), timeout=END_POLL_S)
        return True

    async def leave(self) -> None:
        """Takes the streams away from the command, as containerd does when a client is gone: it goes on, but it reads the end of its
        input, and there is nobody who takes its output. A terminal hangs up."""
        if not self._exit.done() and await self._has_started():
            self.signal(signal.SIGKILL)             # runc alone, which copies between the command's pipes and ours
            await self._exit
        await self.close()

    async def close(self) -> None:
        """Ends the command, if it still runs."""
        if not self._exit.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(END_GRACE_S):
                    await self._end_command()
            self.signal(signal.SIGKILL)
            await self._exit
        for fd in {self._stdin, self._stdout, self._stderr, self._terminal} - {-1}:
            os.close(fd)
        self._stdin = self._stdout = self._stderr = self._terminal = -1
        self._files.remove()

    async def _end_command(self) -> None:
        """The command itself: were only `runc exec` ended, it would live on in the container. Its parent lives and so keeps its pid."""
        while not self._exit.done():
            with suppress(OSError, ValueError):      # the file is written shortly after the start
                os.kill(int(self._files.pid.read_text()), signal.SIGKILL)
            await asyncio.wait((self._exit,), timeout=END_POLL_S)

    def _failure(self) -> str:
        with suppress(OSError):
            for line in self._files.log.read_text(errors="replace").splitlines():
                with suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("level") == "error":
                        what = f'failed to exec in container: failed to start exec "{secrets.token_hex(32)}"'
                        return f"{what}: OCI runtime exec failed: {entry['msg']}: unknown"
        return ""


async def open_exec(
    tools: Tools, record: ContainerRecord, bundle: Path, command: Sequence[str], *, tty: bool, stdin: bool,
) -> ExecSession:
    files = ExecFiles.in_bundle(bundle)
    argv = tools.runc_command(
        "--log", str(files.log), "--log-format", "json", "exec", "--process", str(files.spec), "--pid-file", str(files.pid), record.id)
    with ExitStack() as ours, ExitStack() as theirs:        # what runc gets is closed here in any case, the rest if it cannot be started
        ours.callback(files.remove)
        files.spec.write_text(json.dumps(process_spec(json.loads((bundle / "config.json").read_text()), command, tty=tty)))
        if tty:
            master, slave = pty.openpty()
            ours.callback(os.close, master)
            theirs.callback(os.close, slave)
            os.set_blocking(master, False)
            pid = spawn(argv, environment(), {0: slave, 1: slave, 2: slave})
            ours.pop_all()
            return ExecSession(pid, files, master, master, -1, terminal=master)
        descriptors, in_writer = {}, -1
        out_reader, descriptors[1] = _pipe(ours, theirs)
        err_reader, descriptors[2] = _pipe(ours, theirs)
        if stdin:
            in_writer, descriptors[0] = _pipe(ours, theirs, write=True)
        for fd in {out_reader, in_writer} - {-1}:
            with suppress(OSError):             # all that a user may have in pipes is used up
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, CHUNK)
        pid = spawn(argv, environment(), descriptors)
        ours.pop_all()
        return ExecSession(pid, files, in_writer, out_reader, err_reader)


def _pipe(ours: ExitStack, theirs: ExitStack, *, write: bool = False) -> tuple[int, int]:
    """Our end, which does not block, and the other's. `write`: we do."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    own, other = (writer, reader) if write else (reader, writer)
    ours.callback(os.close, own)
    theirs.callback(os.close, other)
    os.set_blocking(own, False)
    return own, other


async def exec_sync(tools: Tools, record: ContainerRecord, bundle: Path, command: Sequence[str], timeout_s: float) -> ExecResult:
    """Both outputs together, cut at OUTPUT_LIMIT. Raises TimeoutError."""
    session = await open_exec(tools, record, bundle, command, tty=False, stdin=False)
    collected = bytearray()

    async def collect(read: Callable[[], Any]) -> None:
        while data := await read():
            collected.extend(data[: max(0, OUTPUT_LIMIT - len(collected))])

    try:
        async with asyncio.timeout(timeout_s):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(collect(session.read_stdout), name="exec stdout")
                tasks.create_task(collect(session.read_stderr), name="exec stderr")
            return ExecResult(await session.wait(), bytes(collected))
    finally:
        await session.close()


def process_spec(config: Mapping[str, Any], command: Sequence[str], *, tty: bool) -> dict[str, Any]:
    """The container's own process with another command: same user, environment, directory, capabilities."""
    process = {**config["process"], "args": list(command), "terminal": tty}
    if tty:         # whatever the container has, as with containerd
        process["env"] = [*(entry for entry in process["env"] if not entry.startswith("TERM=")), "TERM=xterm"]
    return process


async def _read(fd: int) -> bytes:
    while fd >= 0:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            await readable(fd)
        except OSError:  # EIO: the terminal's other side is closed
            return b""
    return b""
