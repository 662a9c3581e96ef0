"""A resource's objects by the value of one field: what kubelets ask for need not be looked for among all Pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from control_plane.storage.cached_object import CachedObject

ValueOf = Callable[[CachedObject], str]


class FieldIndex:
    def __init__(self, value_of: ValueOf, objects: Iterable[CachedObject]) -> None:
        self._value_of = value_of
        self._keys: dict[str, set[str]] = {}
        for item in objects:
            self._keys.setdefault(value_of(item), set()).add(item.key)

    def keys(self, value: str) -> list[str]:
        """Sorted."""
        return sorted(self._keys.get(value, ()))

    def change(self, previous: CachedObject | None, held: CachedObject | None) -> None:
        """None: it was not there before, or is no longer."""
        before = None if previous is None else self._value_of(previous)
        after = None if held is None else self._value_of(held)
        if before == after:
            return
        if previous is not None and before is not None:
            keys = self._keys[before]
            keys.discard(previous.key)
            if not keys:
                del self._keys[before]
        if held is not None and after is not None:
            self._keys.setdefault(after, set()).add(held.key)
