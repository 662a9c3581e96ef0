"""Who ended, and with which code: conmon's exit files by inotify, and a pidfd for the case that conmon itself was killed.

No polling. An exit file decides; a dead process without one, for longer than GRACE_S or without its conmon, ended unobserved.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from node_agent.runtime.processes import open_process
from node_agent.runtime.syscalls import IN_CLOSE_WRITE, IN_MOVED_TO, inotify_add_watch, inotify_init

GRACE_S = 3.0                    # conmon drains the container's output before it writes the exit file

# container id, exit code or None when nobody saw it, time of the end (seconds since the epoch)
OnExit = Callable[[str, int | None, float], None]


class ExitWatcher:
    def __init__(self, directory: Path, on_exit: OnExit, now: Callable[[], float]) -> None:
        self._directory = directory
        self._on_exit = on_exit
        self._now = now
        self._inotify = -1
        self._pidfds: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._inotify = inotify_init()
        inotify_add_watch(self._inotify, str(self._directory), IN_MOVED_TO | IN_CLOSE_WRITE)
        asyncio.get_running_loop().add_reader(self._inotify, self._on_inotify)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for container_id in list(self._pidfds):
            self._forget_process(container_id)
        if self._inotify >= 0:
            loop.remove_reader(self._inotify)
            os.close(self._inotify)
            self._inotify = -1

    def watch(self, container_id: str, pid: int, started: int, conmon_pid: int) -> None:
        """`on_exit` will be called once for this container; at once, before this returns, if it has ended already."""
        if self._ended(container_id):
            return
        fd = open_process(pid, started)
        if fd is None:
            if _is_conmon(conmon_pid):
                self._process_gone(container_id)
            else:      # the machine was off meanwhile: there is nobody who would write the file
                self._unobserved(container_id, self._now())
            return
        self._pidfds[container_id] = fd
        asyncio.get_running_loop().add_reader(fd, self._process_gone, container_id)
        self._ended(container_id)  # between the look and the watch

    def unwatch(self, container_id: str) -> None:
        self._forget_process(container_id)

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
                if name in self._pidfds or name in self._timers:
                    self._ended(name)

    def _ended(self, container_id: str) -> bool:
        path = self.exit_file(container_id)
        try:
            code = int(path.read_text())
            finished = path.stat().st_mtime
        except (OSError, ValueError):
            return False
        self._forget_process(container_id)
        self._on_exit(container_id, code, finished)
        return True

    def _process_gone(self, container_id: str) -> None:
        if fd := self._pidfds.pop(container_id, None):
            asyncio.get_running_loop().remove_reader(fd)
            os.close(fd)
        if container_id not in self._timers:
            ended_at = self._now()
            self._timers[container_id] = asyncio.get_running_loop().call_later(GRACE_S, self._unobserved, container_id, ended_at)

    def _unobserved(self, container_id: str, ended_at: float) -> None:
        self._timers.pop(container_id, None)
        if not self._ended(container_id):
            self._on_exit(container_id, None, ended_at)

    def _forget_process(self, container_id: str) -> None:
        if fd := self._pidfds.pop(container_id, None):
            asyncio.get_running_loop().remove_reader(fd)
            os.close(fd)
        if timer := self._timers.pop(container_id, None):
            timer.cancel()


def _is_conmon(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "conmon\n"
    except OSError:
        return False
