"""Container logs: cut, filtered, followed over a rotation."""

from __future__ import annotations

import asyncio
import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node_agent.runtime import logs
from node_agent.runtime.conmon import _interpret, runc_message
from node_agent.runtime.logs import LogOptions, read_log
from node_agent.runtime.model import StartFailedError

LINES = (
    "2026-11-20T12:00:01.000000000+00:00 stdout F one\n"
    "2026-11-20T12:00:02.000000000+00:00 stderr F two\n"
    "2026-11-20T12:00:03.000000000+00:00 stdout P thr\n"
    "2026-11-20T12:00:03.000000001+00:00 stdout F ee\n"
)


async def read(path: Path, options: LogOptions) -> bytes:
    return b"".join([piece async for piece in read_log(path, options, lambda: True)])


@pytest.mark.parametrize(("options", "text"), [
    pytest.param(LogOptions(), b"one\ntwo\nthree\n", id="all"),
    pytest.param(LogOptions(tail_lines=1), b"three\n", id="the last line is not its last part"),
    pytest.param(LogOptions(tail_lines=2), b"two\nthree\n", id="two lines"),
    pytest.param(LogOptions(tail_lines=0), b"", id="none"),
    pytest.param(LogOptions(tail_lines=99), b"one\ntwo\nthree\n", id="more than there are"),
    pytest.param(LogOptions(stream="stderr"), b"two\n", id="one stream"),
    pytest.param(LogOptions(since=datetime(2026, 11, 20, 12, 0, 2, tzinfo=UTC)), b"two\nthree\n", id="since"),
    pytest.param(LogOptions(limit_bytes=5), b"one\nt", id="limit"),
    pytest.param(LogOptions(timestamps=True, tail_lines=2, stream="stderr"), b"2026-11-20T12:00:02.000000000Z two\n", id="timestamps"),
])
async def test_what_is_shown(tmp_path: Path, options: LogOptions, text: bytes) -> None:
    (tmp_path / "0.log").write_text(LINES)

    assert await read(tmp_path / "0.log", options) == text


async def test_tail_reaches_over_blocks(tmp_path: Path) -> None:
    stamp = "2026-11-20T12:00:00.0+00:00 stdout F"
    (tmp_path / "0.log").write_text("".join(f"{stamp} line {number} {'x' * 100}\n" for number in range(3000)))

    shown = await read(tmp_path / "0.log", LogOptions(tail_lines=2000))

    assert (shown.count(b"\n"), shown.split(b" ")[1]) == (2000, b"1000")


async def test_following_sees_new_lines_whole_and_survives_a_rotation(tmp_path: Path) -> None:
    path, ended, seen = tmp_path / "0.log", asyncio.Event(), []
    path.write_text("2026-11-20T12:00:01Z stdout F one\n")
    arrived = asyncio.Event()

    async def follow() -> None:
        async for piece in read_log(path, LogOptions(follow=True), ended.is_set):
            seen.append(piece)
            arrived.set()

    async def write(text: str) -> None:
        arrived.clear()
        with path.open("a") as file:
            file.write(text)

    task = asyncio.create_task(follow())
    await asyncio.wait_for(arrived.wait(), 60)
    await write("2026-11-20T12:00:02Z stdout F tw")
    await write("o\n")
    await asyncio.wait_for(arrived.wait(), 60)
    path.rename(tmp_path / "0.log.1")
    await write("2026-11-20T12:00:03Z stdout F three\n")
    await asyncio.wait_for(arrived.wait(), 60)
    ended.set()
    await asyncio.wait_for(task, 60)

    assert seen == [b"one\n", b"two\n", b"three\n"]


async def test_following_works_without_inotify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(logs, "inotify_init", none_left)
    path, pieces = tmp_path / "0.log", list[bytes]()
    path.write_text("2026-11-20T12:00:01Z stdout F one\n")

    async with asyncio.timeout(30):
        async for piece in read_log(path, LogOptions(follow=True), lambda: len(pieces) == 2):
            pieces.append(piece)
            if len(pieces) == 1:
                path.write_text(path.read_text() + "2026-11-20T12:00:02Z stdout F two\n")

    assert pieces == [b"one\n", b"two\n"]


PARTS = (
    "2026-11-20T12:00:01.000000000+00:00 stdout P on\n"
    "2026-11-20T12:00:02.000000000+00:00 stdout P e\r\n"
    "2026-11-20T12:00:03.000000000+00:00 stdout F \r\n"
    "cut short\n"
    "2026-11-20T12:00:04.000000000+00:00 stderr P \x00two"
)


async def test_parts_are_one_line_with_one_timestamp(tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(PARTS.encode() + b"\n")

    assert await read(tmp_path / "0.log", LogOptions()) == b"one\r\n\x00two"
    assert await read(tmp_path / "0.log", LogOptions(timestamps=True)) == (
        b"2026-11-20T12:00:01.000000000Z one\r\n2026-11-20T12:00:04.000000000Z \x00two")


def test_messages_of_runc_lose_their_dressing() -> None:

    line = 'time="2026" level=error msg="runc create failed: exec: \\"x\\": not found"\n'

    assert runc_message(line) == 'runc create failed: exec: "x": not found'
    assert _interpret(b'{"pid": 12}\n', Path("/nonexistent")) == (12, 0)
    with pytest.raises(StartFailedError, match="no such file"):
        _interpret(b'{"pid": -1, "message": "no such file"}\n', Path("/nonexistent"))
