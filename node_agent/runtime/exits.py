"""Who ended, and with which code: conmon's exit files by inotify, and pidfds of process and conmon for the case that conmon was killed.

No polling. An exit file decides. A dead process without one, for longer than GRACE_S, ended unobserved. So did a container whose conmon is
gone, running or not: nobody takes its output any more, and nobody would see its end.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node_agent.runtime.processes import open_process, start_ticks
from node_agent.runtime.syscalls import IN_CLOSE_WRITE, IN_MOVED_TO, inotify_add_watch, inotify_init

GRACE_S = 3.0                    # conmon drains the container's output before it writes the exit file

# container id, exit code or None when nobody saw it, time of the end (seconds since the epoch)
OnExit = Callable[[str, int | None, float], None]


@dataclass(slots=True)
class _Watch:
    """pidfds, -1 once what they stand for is gone; the timer runs between the end of the process and conmon's word of it."""

    process: int
    conmon: int
    timer: asyncio.TimerHandle | None = None


class ExitWatcher:
    def __init__(self, directory: Path, on_exit: OnExit, now: Callable[[], float]) -> None:
        self._directory = directory
        self._on_exit = on_exit
        self._now = now
        self._inotify = -1
        self._watched: dict[str, _Watch] = {}

    def start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._inotify = inotify_init()
        inotify_add_watch(self._inotify, str(self._directory), IN_MOVED_TO | IN_CLOSE_WRITE)
        asyncio.get_running_loop().add_reader(self._inotify, self._on_inotify)

    def close(self) -> None:
        for container_id in list(self._watched):
            self._forget(container_id)
        if self._inotify >= 0:
            asyncio.get_running_loop().remove_reader(self._inotify)
            os.close(self._inotify)
            self._inotify = -1

    def watch(self, container_id: str, pid: int, started: int, conmon_pid: int) -> None:
        """`on_exit` will be called once for this container; at once, before this returns, if it has ended already."""
        if self._ended(container_id):
            return
        process, conmon = open_process(pid, started), _open_conmon(conmon_pid)
        watch = self._watched[container_id] = _Watch(-1 if process is None else process, conmon)
        if conmon < 0:                     # killed, or the machine was off meanwhile: there is nobody who would write the file
            self._unobserved(container_id, self._now())
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(conmon, self._conmon_gone, container_id)
        if watch.process >= 0:
            loop.add_reader(watch.process, self._process_gone, container_id)
        else:
            self._await_file(container_id, watch)
        self._ended(container_id)  # between the look and the watch

    def unwatch(self, container_id: str) -> None:
        self._forget(container_id)

    def exit_file(self, container_id: str) -> Path:
        return self._directory / container_id

    def _on_inotify(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._inotify, 65536)
            offset = 0
            while offset < len(data):
                _, _, _, length = struct.unpack_from("iIII", data, offset)
                name = data[offset + 16 : offset + 16 + length].rstrip(b"\0").decode()
                offset += 16 + length
                if name in self._watched:
                    self._ended(name)

    def _ended(self, container_id: str) -> bool:
        path = self.exit_file(container_id)
        try:
            code = int(path.read_text())
            finished = path.stat().st_mtime
        except (OSError, ValueError):
            return False
        self._forget(container_id)
        self._on_exit(container_id, code, finished)
        return True

    def _process_gone(self, container_id: str) -> None:
        watch = self._watched[container_id]
        watch.process = _let_go(watch.process)
        self._await_file(container_id, watch)

    def _await_file(self, container_id: str, watch: _Watch) -> None:
        watch.timer = asyncio.get_running_loop().call_later(GRACE_S, self._unobserved, container_id, self._now())

    def _conmon_gone(self, container_id: str) -> None:
        self._unobserved(container_id, self._now())

    def _unobserved(self, container_id: str, ended_at: float) -> None:
        if not self._ended(container_id):
            self._forget(container_id)
            self._on_exit(container_id, None, ended_at)

    def _forget(self, container_id: str) -> None:
        watch = self._watched.pop(container_id, None)
        if watch is None:
            return
        _let_go(watch.process)
        _let_go(watch.conmon)
        if watch.timer is not None:
            watch.timer.cancel()


def _let_go(pidfd: int) -> int:
    if pidfd >= 0:
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)
    return -1


def _open_conmon(pid: int) -> int:
    """A pidfd, or -1 if that process is gone or another."""
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, ValueError):
        return -1
    with suppress(OSError):
        if start_ticks(pid) and Path(f"/proc/{pid}/comm").read_text() == "conmon\n":
            return pidfd
    os.close(pidfd)
    return -1
