"""Validation that may take long goes to another thread: everybody else would wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from control_plane.apiserver.strategies.base import Strategy

T = TypeVar("T")
_QUICK: Final = 64 * 1024      # bytes of JSON: some ten milliseconds


async def checked(strategy: Strategy, size: int, check: Callable[[], T]) -> T:
    """`check` is pure. `size`: of the object, in bytes of JSON, as far as it is known."""
    if size > _QUICK or strategy.validates_slowly:
        return await asyncio.to_thread(check)
    return check()
