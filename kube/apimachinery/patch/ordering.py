"""The order of a merged list: elements of the patch in the patch's order, the rest where the live list had them."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any


def order_elements(merged: list[Any], patch_order: list[Any], live_order: list[Any], merge_key: str) -> list[Any]:
    """Follows strategicpatch's normalizeElementOrder: a stable merge of the patch's elements and the live list's own."""
    in_patch = {_key(item, merge_key) for item in patch_order}
    live_rank = _ranks(live_order, merge_key)
    ours = _sorted([item for item in merged if _key(item, merge_key) in in_patch], _ranks(patch_order, merge_key), merge_key)
    others = _sorted([item for item in merged if _key(item, merge_key) not in in_patch], live_rank, merge_key)
    out: list[Any] = []
    mine, other = 0, 0
    while mine < len(ours) and other < len(others):
        left, right = live_rank.get(_key(others[other], merge_key)), live_rank.get(_key(ours[mine], merge_key))
        if left is not None and right is not None and left < right:
            out.append(others[other])
            other += 1
        else:
            out.append(ours[mine])
            mine += 1
    return out + ours[mine:] + others[other:]


def _sorted(items: list[Any], ranks: dict[Any, int], merge_key: str) -> list[Any]:
    def compare(left: Any, right: Any) -> int:
        a, b = ranks.get(_key(left, merge_key)), ranks.get(_key(right, merge_key))
        return 0 if a is None or b is None else a - b

    return sorted(items, key=cmp_to_key(compare))


def _ranks(items: list[Any], merge_key: str) -> dict[Any, int]:
    ranks: dict[Any, int] = {}
    for at, item in enumerate(items):
        ranks.setdefault(_key(item, merge_key), at)
    return ranks


def _key(item: Any, merge_key: str) -> Any:
    if merge_key and isinstance(item, dict):
        item = item.get(merge_key)
    return hashable(item)


def hashable(value: Any) -> Any:
    """For comparison by hash: true is no 1 here, as it is none in JSON."""
    return repr(value) if isinstance(value, (dict, list, bool)) else value
