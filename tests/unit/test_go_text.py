"""Durations, quoted strings and errors, as Go prints them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from kube.apimachinery.go_text import go_duration, go_error, go_quoted, go_status


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0s"), (0.0004, "0s"), (0.25, "250ms"), (0.523, "523ms"), (1.2, "1.2s"), (10, "10s"), (14.9962, "14.996s"), (40, "40s"),
    (60, "1m0s"), (60.5, "1m0.5s"), (61.25, "1m1.25s"), (80, "1m20s"), (160, "2m40s"), (300, "5m0s"), (3600, "1h0m0s"), (3661, "1h1m1s"),
    (86400, "24h0m0s"), (59.9996, "1m0s"),
])
def test_durations(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


@pytest.mark.parametrize(("text", "quoted"), [
    ("plain ü", '"plain ü"'), ('a"b\\c', r'"a\"b\\c"'), ("\n\t\r\a\v", r'"\n\t\r\a\v"'), ("\x01\x7f", r'"\x01\x7f"'),
    ("\u200b", r'"\u200b"'), ("\U000e0001", r'"\U000e0001"'), ("", '""'),
])
def test_quoted(text: str, quoted: str) -> None:
    assert go_quoted(text) == quoted


def test_errors_of_the_system(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    with pytest.raises(OSError, match="none") as caught:
        missing.read_text()

    assert go_error(caught.value) == f"{missing}: no such file or directory"
    assert go_error(OSError(errno.ENOSPC, "No space left on device")) == "no space left on device"
    assert go_error(OSError("said otherwise")) == "said otherwise"
    assert go_error(ValueError("no error of the system")) == "no error of the system"


@pytest.mark.parametrize(("code", "details", "text"), [
    ("NOT_FOUND", "no v", "rpc error: code = NotFound desc = no v"), ("UNKNOWN", "", "rpc error: code = Unknown desc = "),
    ("CANCELLED", None, "rpc error: code = Canceled desc = "), ("OUT_OF_RANGE", "x", "rpc error: code = OutOfRange desc = x"),
])
def test_statuses(code: str, details: str | None, text: str) -> None:
    assert go_status(code, details) == text
