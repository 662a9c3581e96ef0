"""What compiled expressions are made of: frames, closures, blocks that have a cost, slots for variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Frame = list[Any]
Run = Callable[[Frame], Any]

COST: Final = 0
LIMIT: Final = 1
FIRST_SLOT: Final = 2
UNSET: Final = object()


class Block:
    """A stretch of an expression that runs as a whole: what it costs at least."""

    __slots__ = ("cost",)

    def __init__(self) -> None:
        self.cost = 0


class Part:
    """A compiled node. A constant has its `value`."""

    __slots__ = ("constant", "run", "value")

    def __init__(self, run: Run, *, constant: bool = False, value: Any = None) -> None:
        self.run = run
        self.constant = constant
        self.value = value


def constant(value: Any) -> Part:
    return Part(lambda _: value, constant=True, value=value)


class Slot:
    """Where a variable lives. A lazy one is computed when it is first asked for."""

    __slots__ = ("index", "lazy")

    def __init__(self, index: int, lazy: Run | None = None) -> None:
        self.index = index
        self.lazy = lazy
