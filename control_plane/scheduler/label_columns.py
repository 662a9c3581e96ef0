"""Node labels as interned columns: a selector over all Nodes is one comparison of small integers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from control_plane.scheduler.framework import Mask

ABSENT = -1


class LabelColumn:
    """One label key: for each row the id of its value, or ABSENT."""

    def __init__(self, capacity: int) -> None:
        self._ids: NDArray[np.int32] = np.full(capacity, ABSENT, dtype=np.int32)
        self._id_of: dict[str, int] = {}
        self._numbers: NDArray[np.float64] | None = None     # the values as integers, made when Gt or Lt first asks

    def grow(self, capacity: int) -> None:
        grown = np.full(capacity, ABSENT, dtype=np.int32)
        grown[: len(self._ids)] = self._ids
        self._ids = grown

    def set(self, row: int, value: str) -> None:
        if (number := self._id_of.get(value)) is None:
            number = self._id_of[value] = len(self._id_of)
            self._numbers = None
        self._ids[row] = number

    def clear(self, row: int) -> None:
        self._ids[row] = ABSENT

    def any_of(self, values: Iterable[str], size: int) -> Mask:
        numbers = [self._id_of[value] for value in values if value in self._id_of]
        ids = self._ids[:size]
        if not numbers:
            return np.zeros(size, dtype=np.bool_)
        mask: Mask = ids == numbers[0]
        for number in numbers[1:]:
            mask |= ids == number
        return mask

    def ids(self, size: int) -> NDArray[np.int32]:
        """The values as numbers below `len(column)`, or ABSENT."""
        return self._ids[:size]

    def __len__(self) -> int:
        """Values ever seen."""
        return len(self._id_of)

    def present(self, size: int) -> Mask:
        mask: Mask = self._ids[:size] != ABSENT
        return mask

    def integers(self, size: int) -> NDArray[np.float64]:
        """The values as numbers; NaN where the label is absent or no integer, so that every comparison fails."""
        if self._numbers is None:
            parsed = [_integer(value) for value in self._id_of]      # in the order of their ids
            self._numbers = np.array([*parsed, np.nan], dtype=np.float64)
        numbers: NDArray[np.float64] = self._numbers[self._ids[:size]]   # ABSENT (-1) picks the NaN at the end
        return numbers


def _integer(text: str) -> float:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return float(text) if digits.isascii() and digits.isdigit() else np.nan


class LabelColumns:
    """All label keys that any Node carries."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._columns: dict[str, LabelColumn] = {}

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for column in self._columns.values():
            column.grow(capacity)

    def get(self, key: str) -> LabelColumn | None:
        return self._columns.get(key)

    def replace(self, row: int, old: dict[str, str], new: dict[str, str]) -> None:
        for key in old.keys() - new.keys():
            self._columns[key].clear(row)
        for key, value in new.items():
            if old.get(key) != value:
                self._column(key).set(row, value)

    def _column(self, key: str) -> LabelColumn:
        if (column := self._columns.get(key)) is None:
            column = self._columns[key] = LabelColumn(self._capacity)
        return column
