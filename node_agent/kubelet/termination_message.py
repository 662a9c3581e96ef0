"""Why a container ended, in its own words: its termination log, or the end of its output. Follows kuberuntime_container.go."""

from __future__ import annotations

import os
from pathlib import Path

from node_agent.runtime.model import ContainerRecord

MAX_BYTES = 4096
MAX_LOG_BYTES, MAX_LOG_LINES = 2048, 80


def termination_message(record: ContainerRecord) -> str:
    path = record.config.labels.get("terminationMessageFile", "")
    text = _read_end(Path(path), MAX_BYTES) if path else ""
    if not text and record.exit_code != 0 and record.config.labels.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        lines = _read_end(Path(record.config.log_path), 8 * MAX_LOG_BYTES).splitlines()[-MAX_LOG_LINES:]
        text = "".join(_output(line) for line in lines)[-MAX_LOG_BYTES:]
    return ": ".join(part for part in (record.message, text) if part)


def _output(line: str) -> str:
    """Of one line of a CRI log, `TIME STREAM TAG TEXT`: F is a full line, P a part of one."""
    fields = line.split(" ", 3)
    return fields[3] + ("\n" if fields[2] == "F" else "") if len(fields) == 4 else ""


def _read_end(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit))
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""
