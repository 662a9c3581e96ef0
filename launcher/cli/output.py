"""How the CLI tells what it does: a live line per step on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class StepProgress:
    """One line per step with its time. Errors pass through after the step was marked as failed."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            if self._live:
                print(f" \u2026 {text}", end="\r", file=sys.stderr, flush=True)
            yield
        except BaseException:
            self._line("\u2717" if self._live else "failed:", text, began, "31")
            raise
        self._line("\u2713" if self._live else "done:", text, began, "32")

    def _line(self, mark: str, text: str, began: float, color: str) -> None:
        mark = f"\033[{color}m{mark}\033[0m" if self._live else mark
        print(f" {mark} {text:<56} {time.monotonic() - began:6.2f} s", file=sys.stderr, flush=True)


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns aligned as kubectl aligns them; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def human_bytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count else "-"


def human_seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"
