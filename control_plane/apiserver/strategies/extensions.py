"""APIServices and flow control."""

from __future__ import annotations

from control_plane.apiserver.aggregation.strategy import APIServiceStrategy
from control_plane.apiserver.strategies.base import Strategy

__all__ = ("APIServiceStrategy", "GenerationStrategy")


class GenerationStrategy(Strategy):
    """Kinds that have no rules of their own yet but count generations upstream."""

    counts_generations = True
