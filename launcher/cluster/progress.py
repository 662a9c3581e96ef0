"""Where `up` and `down` tell what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """One line for the step, with the time it took."""
