"""A figure and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    title: str
    unit: str
    value: float
    goal: float | None = None      # at most so much


def show(figure: Figure) -> None:
    value = f"{figure.value:.0f}" if abs(figure.value) >= 100 else f"{figure.value:.2f}"
    goal = "" if figure.goal is None else f"{figure.goal:g}"
    met = "" if figure.goal is None else ("ok" if figure.value <= figure.goal else "above")
    print(f"{figure.title:<46}{figure.unit:>8}{value:>10}{goal:>8} {met}".rstrip(), flush=True)


def percentile(times: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return times[min(len(times) - 1, int(len(times) * share))]
