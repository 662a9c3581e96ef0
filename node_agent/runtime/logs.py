"""Container logs in CRI format ("time stream P|F text"), as conmon writes them: read, cut, followed, rotated."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from node_agent.runtime.processes import readable
from node_agent.runtime.syscalls import IN_CLOSE_WRITE, IN_CREATE, IN_MODIFY, IN_MOVED_TO, inotify_add_watch, inotify_init

BLOCK = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    follow: bool = False
    timestamps: bool = False
    tail_lines: int = -1                 # -1: all
    since: datetime | None = None
    limit_bytes: int = 0                 # 0: no bound
    stream: str = ""                     # "", "stdout", "stderr"


async def read_log(path: Path, options: LogOptions, ended: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """Pieces of the log as a client sees it. With `follow` it goes on until `ended()` and all is read. Raises FileNotFoundError."""
    left = options.limit_bytes or None
    file: BinaryIO = path.open("rb")
    watch = -1
    shown = _Shown(options)
    try:
        file.seek(tail_offset(file, options.tail_lines))
        watch = _watch(path) if options.follow else -1
        while True:
            was_ended = ended()              # before reading: what it wrote until then is read below
            while block := _whole_lines(file):
                piece = shown.of(block)
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                if piece:
                    yield piece
                if left == 0:
                    return
            if not options.follow or was_ended:
                return
            await _changed(watch)
            file = _reopened(file, path)
    finally:
        if watch >= 0:
            os.close(watch)
        file.close()


def _whole_lines(file: BinaryIO) -> bytes:
    """Of what comes next as much as ends with a line; the rest is read again once it is whole."""
    block = file.read(BLOCK)
    end = block.rfind(b"\n") + 1
    while block and not end:                 # a line longer than a block
        more = file.read(BLOCK)
        if not more:
            break
        end = len(block) + more.rfind(b"\n") + 1 if b"\n" in more else 0
        block += more
    file.seek(end - len(block), os.SEEK_CUR)
    return block[:end]


class _Shown:
    """Lines of the file as the client sees them. A line that conmon wrote in parts (P) is one again; its first part has the timestamp."""

    def __init__(self, options: LogOptions) -> None:
        self._stream = options.stream.encode()
        self._since = options.since
        self._timestamps = options.timestamps
        self._within_line = False

    def of(self, block: bytes) -> bytes:
        return b"".join([self._line(line) for line in block.split(b"\n")[:-1]])

    def _line(self, line: bytes) -> bytes:
        """b"" for a line that is not wanted."""
        try:
            stamp, stream, tag, text = line.split(b" ", 3)
        except ValueError:                                # a full disk cuts lines short
            return b""
        if self._stream and stream != self._stream:
            return b""
        if self._since is not None and _time(stamp) < self._since:
            return b""
        within, self._within_line = self._within_line, tag == b"P"
        if tag != b"P":
            text = text.removesuffix(b"\r") + b"\n"     # as containerd, which takes \r\n for an end of line: terminals write it
        return text if within or not self._timestamps else stamp.replace(b"+00:00", b"Z") + b" " + text


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` whole lines begin. A line cut by conmon (P) counts with the one that ends it."""
    end = file.seek(0, os.SEEK_END)
    if lines < 0:
        return 0
    if lines == 0:
        return end
    offset, tail, size = end, b"", BLOCK // 2
    while offset > 0:
        size = min(2 * size, offset)        # doubled, since each turn goes through all that was read
        offset -= size
        file.seek(offset)
        tail = file.read(size) + tail
        starts = [0] if offset == 0 else []
        position = tail.find(b"\n")
        while position >= 0:
            starts.append(position + 1)
            position = tail.find(b"\n", position + 1)
        whole = [start for index, start in enumerate(starts) if start < len(tail) and not _continues(tail, starts, index)]
        if len(whole) >= lines + (offset > 0):
            return offset + whole[-lines]
    return 0


def _continues(tail: bytes, starts: list[int], index: int) -> bool:
    """Whether the line before is only a part (P) of the one that starts here."""
    if index == 0:
        return False
    fields = tail[starts[index - 1] : starts[index]].split(b" ", 3)
    return len(fields) >= 3 and fields[2] == b"P"


def _time(stamp: bytes) -> datetime:
    try:
        return datetime.fromisoformat(stamp.decode()).astimezone(UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _watch(path: Path) -> int:
    """-1 when there are too many already (128 for a user, and all nodes of a machine are one): it is looked at from time to time."""
    try:
        watch = inotify_init()
    except OSError:
        return -1
    try:        # its directory, for after a rotation it is another file
        inotify_add_watch(watch, str(path.parent), IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO)
    except OSError:
        os.close(watch)
        return -1
    return watch


async def _changed(watch: int) -> None:
    # The end of a container need not touch its log: look again from time to time.
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await (readable(watch) if watch >= 0 else asyncio.Event().wait())
    if watch < 0:
        return
    with suppress(BlockingIOError):
        while os.read(watch, BLOCK):
            pass


def _reopened(file: BinaryIO, path: Path) -> BinaryIO:
    """The new file after a rotation. The old one had been read to its end before."""
    with suppress(OSError):
        if os.fstat(file.fileno()).st_ino != path.stat().st_ino:
            if file.read(1):
                file.seek(-1, os.SEEK_CUR)
                return file
            fresh = path.open("rb")
            file.close()
            return fresh
    return file
