"""An informer's objects: what the apiserver has, a moment ago. Objects are frozen and shared; whoever reads may keep them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from kube.apimachinery.meta import NamespacedName

V = TypeVar("V")
IndexFunction = Callable[[V], Iterable[Hashable]]


class _Index(Generic[V]):
    __slots__ = ("function", "objects")

    def __init__(self, function: IndexFunction[V]) -> None:
        self.function = function
        self.objects: dict[Hashable, dict[NamespacedName, V]] = {}

    def put(self, key: NamespacedName, obj: V) -> None:
        for value in self.function(obj):
            self.objects.setdefault(value, {})[key] = obj

    def remove(self, key: NamespacedName, obj: V) -> None:
        for value in self.function(obj):
            held = self.objects.get(value)
            if held is not None and held.pop(key, None) is not None and not held:
                del self.objects[value]


class Store(Generic[V]):
    """Only its informer writes to it, through `put`, `remove`."""

    __slots__ = ("_indexes", "_namespaces", "_size")

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, V]] = {}
        self._indexes: dict[str, _Index[V]] = {}
        self._size = 0

    def get(self, key: NamespacedName) -> V | None:
        held = self._namespaces.get(key.namespace)
        return None if held is None else held.get(key.name)

    def by_index(self, name: str, value: Hashable) -> list[V]:
        return [*self._indexes[name].objects.get(value, {}).values()]

    def add_index(self, name: str, function: IndexFunction[V]) -> None:
        """`function` says under which values an object is found. Adding one name twice is an error of two owners."""
        if name in self._indexes:
            raise ValueError(f"index {name} exists")
        index = self._indexes[name] = _Index(function)
        for key, obj in self.items():
            index.put(key, obj)

    def has_index(self, name: str) -> bool:
        return name in self._indexes

    def items(self) -> Iterator[tuple[NamespacedName, V]]:
        for namespace, held in self._namespaces.items():
            for name, obj in held.items():
                yield NamespacedName(namespace, name), obj

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: Any) -> bool:
        return self.get(key) is not None

    def put(self, key: NamespacedName, obj: V) -> V | None:
        """Returns what stood there before."""
        held = self._namespaces.setdefault(key.namespace, {})
        old = held.get(key.name)
        held[key.name] = obj
        self._size += old is None
        for index in self._indexes.values():
            if old is not None:
                index.remove(key, old)
            index.put(key, obj)
        return old

    def remove(self, key: NamespacedName) -> V | None:
        held = self._namespaces.get(key.namespace)
        old = None if held is None else held.pop(key.name, None)
        if held is None or old is None:
            return None
        if not held:
            del self._namespaces[key.namespace]
        self._size -= 1
        for index in self._indexes.values():
            index.remove(key, old)
        return old

    def list(self, namespace: str = "") -> list[V]:
        """All objects, or those of one namespace; in no order."""
        if namespace:
            return [*self._namespaces.get(namespace, {}).values()]
        return [obj for held in self._namespaces.values() for obj in held.values()]
