"""Lists of tolerations, merged and compared. Follows pkg/util/tolerations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Toleration = dict[str, Any]
_FIELDS = ("key", "operator", "value", "effect", "tolerationSeconds")


def merged(first: Iterable[Toleration], second: Iterable[Toleration]) -> list[Toleration]:
    """Both, without those that another one of them covers."""
    every = [*first, *second]
    kept: list[Toleration] = []
    for index, one in enumerate(every):
        if any(covers(other, one) for other in kept):
            continue
        if any(not _same(one, other) and covers(other, one) for other in every[index + 1:]):
            continue
        kept.append(one)
    return kept


def within(tolerations: Iterable[Toleration], allowed: Sequence[Toleration]) -> bool:
    """Whether each is covered by one that is allowed; none allowed: no limits."""
    return not allowed or all(any(covers(other, one) for other in allowed) for one in tolerations)


def covers(wide: Toleration, narrow: Toleration) -> bool:
    """Whether whatever `narrow` tolerates is tolerated by `wide`."""
    if _same(wide, narrow):
        return True
    operator = wide.get("operator") or ""
    if _key(narrow) != _key(wide) and (_key(wide) or operator != "Exists"):
        return False
    effect = wide.get("effect") or ""
    if effect and (narrow.get("effect") or "") != effect:
        return False
    longest, seconds = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    if effect == "NoExecute" and longest is not None and (seconds is None or seconds > longest):
        return False
    if operator in ("", "Equal"):
        return narrow.get("operator") == "Equal" and (narrow.get("value") or "") == (wide.get("value") or "")
    return operator == "Exists"


def _key(toleration: Toleration) -> str:
    return toleration.get("key") or ""


def _same(one: Toleration, other: Toleration) -> bool:
    return all((one.get(field) or "") == (other.get(field) or "") for field in _FIELDS[:4]) and (
        one.get("tolerationSeconds") == other.get("tolerationSeconds")
    )
