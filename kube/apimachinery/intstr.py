"""IntOrString values: an absolute number or a percentage of some total."""

from __future__ import annotations

import re

_PERCENT = re.compile(r"([0-9]+)%")


def resolve(value: int | str, total: int, round_up: bool) -> int:
    """The number that `value` stands for; "25%" is taken of `total` and rounded up or down. Raises ValueError."""
    if isinstance(value, int):
        return value
    share = percent(value)
    if share is None:
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    scaled = share * total
    return -(-scaled // 100) if round_up else scaled // 100


def percent(value: int | str) -> int | None:
    """25 for "25%", None for anything that is no percentage."""
    if isinstance(value, int):
        return None
    found = _PERCENT.fullmatch(value)
    return int(found[1]) if found else None
