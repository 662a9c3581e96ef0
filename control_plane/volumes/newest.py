"""What a process has just written, or decided to write, on top of what its watch has brought so far."""

from __future__ import annotations

from typing import Generic

from kube.apimachinery.meta import NamespacedName
from kube.client.informer import Informer
from kube.client.objects import T, key_of


class Newest(Generic[T]):
    """Reads an informer's objects, but never one older than the process's own last write: else one volume goes to two claims."""

    def __init__(self, informer: Informer[T]) -> None:
        self._informer = informer
        self._written: dict[NamespacedName, T] = {}
        informer.add_handler(on_update=lambda _, new: self._arrived(new), on_delete=lambda one: self._written.pop(key_of(one), None))

    def wrote(self, obj: T) -> T:
        held = self._informer.get(key_of(obj))
        if held is not None and _revision(held) < _revision(obj):
            self._written[key_of(obj)] = obj
        return obj

    def assume(self, obj: T) -> None:
        """Decided, not yet written: holds until the server's object changes, or `forget`."""
        self._written[key_of(obj)] = obj

    def forget(self, key: NamespacedName) -> None:
        self._written.pop(key, None)

    def get(self, key: NamespacedName) -> T | None:
        return self._written.get(key) or self._informer.get(key)

    def list(self) -> list[T]:
        held = self._informer.store.list()
        return [self._written.get(key_of(one), one) for one in held] if self._written else held

    def _arrived(self, obj: T) -> None:
        written = self._written.get(key_of(obj))
        if written is not None and _revision(obj) >= _revision(written):
            del self._written[key_of(obj)]


def _revision(obj: T) -> int:
    return int(obj.metadata.resource_version or 0)
