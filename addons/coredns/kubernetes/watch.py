"""Keeps the store as the apiserver has it: list, then watch, for Services, EndpointSlices and Namespaces (and Pods if asked for)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from addons.coredns.kubernetes.objects import EndpointSlice, Namespace, Pod, Service, ServiceKey
from addons.coredns.kubernetes.store import KubernetesStore
from kube.apimachinery.meta import NamespacedName
from kube.client.objects import ApiObject, ObjectDecoder, resource_of
from kube.client.reflector import HasMetadata, Reflector, Selection
from kube.client.transport import EventType, Location, Transport

V = TypeVar("V", bound=HasMetadata)
N = TypeVar("N", bound=ApiObject)


class StoreSink(Generic[V]):
    """Passes a reflector's objects on to the store; remembers only which keys are there."""

    def __init__(self, put: Callable[[V], None], remove: Callable[[NamespacedName], None]) -> None:
        self._put = put
        self._remove = remove
        self._keys: set[NamespacedName] = set()
        self.synced = asyncio.Event()

    def replace(self, objects: Sequence[V]) -> None:
        fresh = set()
        for obj in objects:
            fresh.add(_key(obj))
            self._put(obj)
        for key in self._keys - fresh:
            self._remove(key)
        self._keys = fresh
        self.synced.set()

    def apply(self, event: EventType, obj: V) -> None:
        key = _key(obj)
        if event is EventType.DELETED:
            self._keys.discard(key)
            self._remove(key)
        else:
            self._keys.add(key)
            self._put(obj)


async def keep_store(store: KubernetesStore, transport: Transport, *, with_pods: bool = False) -> None:
    """Until cancelled. Sets `store.synced` when everything has been listed once."""
    sinks = [
        _watched(transport, Namespace, store.set_namespace, lambda key: store.remove_namespace(key.name)),
        _watched(transport, Service, store.set_service, lambda key: store.remove_service(ServiceKey(*key))),
        _watched(transport, EndpointSlice, store.set_slice, store.remove_slice),
    ]
    if with_pods:
        sinks.append(_watched(transport, Pod, store.set_pod, store.remove_pod))
    async with asyncio.TaskGroup() as tasks:
        for name, run, _ in sinks:
            tasks.create_task(run(), name=f"watch {name}")
        for _, _, synced in sinks:
            await synced.wait()
        store.synced = True


def _watched(
    transport: Transport, kind: type[N], put: Callable[[N], None], remove: Callable[[NamespacedName], None]
) -> tuple[str, Callable[[], Coroutine[Any, Any, None]], asyncio.Event]:
    sink = StoreSink(put, remove)
    row = resource_of(kind)
    reflector = Reflector(transport, Location(row), Selection(), ObjectDecoder(kind), sink)
    return row.plural, reflector.run, sink.synced


def _key(obj: HasMetadata) -> NamespacedName:
    return NamespacedName(obj.metadata.namespace, obj.metadata.name)
