"""Informers: a store kept like the apiserver's, and handlers told of every change, in order.

    async with InformerFactory(client) as informers:
        pods = informers.informer(Pod)
        pods.add_handler(on_update=lambda old, new: queue.add(key_of(new)))
        await informers.start()
        await informers.wait_synced()

Handlers are plain functions, called in the order in which the server's events arrived, after the store has changed; they
only enqueue. An object deleted and created again between two looks arrives as an update whose uid differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import ResourceType
from kube.client.client import Client
from kube.client.objects import ObjectDecoder, PartialObjectMetadata, T, decoder_for, resource_of
from kube.client.reflector import HasMetadata, Reflector, Selection
from kube.client.store import IndexFunction, Store
from kube.client.transport import EventType, Location, Transport
from kube.process.log import get_logger

V = TypeVar("V", bound=HasMetadata)
W = TypeVar("W", bound=HasMetadata)

log = get_logger("informer")


class _Handler(NamedTuple):
    on_add: Callable[[Any], object] | None
    on_update: Callable[[Any, Any], object] | None
    on_delete: Callable[[Any], object] | None


class Informer(Generic[V]):
    """Made by an InformerFactory and shared by all who ask for the same selection."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.store: Store[V] = Store()
        self.stopped = False        # by InformerFactory.stop: nothing comes any more
        self._handlers: list[_Handler] = []
        self._synced = asyncio.Event()

    @property
    def synced(self) -> bool:
        """Whether the first list is in the store."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        await self._synced.wait()

    def get(self, key: NamespacedName) -> V | None:
        return self.store.get(key)

    def add_index(self, name: str, function: IndexFunction[V]) -> None:
        """`function` returns the values under which `store.by_index(name, value)` finds an object. Idempotent by name."""
        if not self.store.has_index(name):
            self.store.add_index(name, function)

    def by_index(self, name: str, value: Hashable) -> list[V]:
        return self.store.by_index(name, value)

    def add_handler(
        self,
        on_add: Callable[[V], object] | None = None,
        on_update: Callable[[V, V], object] | None = None,
        on_delete: Callable[[V], object] | None = None,
    ) -> None:
        """A handler that comes late is told of every object that is there, as added."""
        handler = _Handler(on_add, on_update, on_delete)
        self._handlers.append(handler)
        if on_add is not None:
            for obj in self.store.list():
                self._call(on_add, obj)

    def on_change(self, handle: Callable[[V], object]) -> None:
        """One function for all three: called with the new object, or with the last state of a deleted one."""
        self.add_handler(handle, lambda _old, new: handle(new), handle)

    # What the reflector calls (reflector.Sink).

    def replace(self, objects: Sequence[V]) -> None:
        fresh = {_key(obj) for obj in objects}
        gone = [key for key, _ in self.store.items() if key not in fresh]
        for obj in objects:
            held = self.store.get(_key(obj))
            if held is None or held.metadata.resource_version != obj.metadata.resource_version:
                self.apply(EventType.MODIFIED, obj)
        for key in gone:
            self._delete(key)
        self._synced.set()

    def apply(self, event: EventType, obj: V) -> None:
        key = _key(obj)
        if event is EventType.DELETED:
            self._delete(key, obj)
            return
        old = self.store.put(key, obj)
        for handler in self._handlers:
            if old is None:
                self._call(handler.on_add, obj)
            else:
                self._call(handler.on_update, old, obj)

    def _delete(self, key: NamespacedName, final: V | None = None) -> None:
        old = self.store.remove(key)
        if old is None:
            return
        for handler in self._handlers:
            self._call(handler.on_delete, final if final is not None else old)

    def _call(self, function: Callable[..., object] | None, *arguments: V) -> None:
        if function is None:
            return
        try:
            function(*arguments)
        except Exception:
            log.exception("handler failed", informer=self.name, object=str(_key(arguments[-1])))


def _key(obj: HasMetadata) -> NamespacedName:
    return NamespacedName(obj.metadata.namespace, obj.metadata.name)


class InformerFactory:
    """Owns the informers of a process and the tasks that feed them."""

    def __init__(self, client: Client) -> None:
        self._transport: Transport = client.transport
        self._informers: dict[tuple[ResourceType, Any, Selection], tuple[Informer[Any], Reflector[Any]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[tuple[ResourceType, Any, Selection], asyncio.Task[None]] = {}
        self._started = False

    async def __aenter__(self) -> InformerFactory:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tasks is not None
        for task in self._running.values():
            task.cancel()
        tasks, self._tasks = self._tasks, None
        try:
            await tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or group.exceptions != (error,):
                raise
            # The body's own: it goes on as what it is.

    def informer(
        self, kind: type[T], *, namespace: str = "", label_selector: str = "", field_selector: str = ""
    ) -> Informer[T]:
        """Shared: the same arguments give the same informer."""
        selection = Selection(namespace=namespace, label_selector=label_selector, field_selector=field_selector)
        return self._shared(resource_of(kind), kind, decoder_for(kind), selection)

    def dynamic_informer(
        self, resource: ResourceType, *, namespace: str = "", label_selector: str = "", field_selector: str = ""
    ) -> Informer[PartialObjectMetadata]:
        """The metadata of any resource's objects: the server sends no more than that."""
        return self.metadata_informer(
            resource, PartialObjectMetadata, namespace=namespace, label_selector=label_selector, field_selector=field_selector)

    def metadata_informer(
        self, resource: ResourceType, kind: type[W], *, namespace: str = "", label_selector: str = "", field_selector: str = ""
    ) -> Informer[W]:
        """As `dynamic_informer`, decoded into a type of the caller's choice (a Struct with `metadata`), to keep less."""
        selection = Selection(
            namespace=namespace, label_selector=label_selector, field_selector=field_selector, metadata_only=True)
        return self._shared(resource, kind, decoder_for(kind), selection)

    async def start(self) -> None:
        """Starts what has been asked for so far; an informer asked for later starts at once."""
        self._started = True
        for identity in self._informers:
            self._start(identity)

    async def wait_synced(self) -> None:
        for informer, _ in [*self._informers.values()]:
            await informer.wait_synced()

    @property
    def synced(self) -> bool:
        return all(informer.synced for informer, _ in self._informers.values())

    def stop(self, informer: Informer[Any]) -> None:
        """Forgets an informer whose resource is gone."""
        for identity, (held, _) in [*self._informers.items()]:
            if held is informer:
                held.stopped = True
                del self._informers[identity]
                if task := self._running.pop(identity, None):
                    task.cancel()

    def _shared(self, resource: ResourceType, kind: type[W], decoder: ObjectDecoder[W], selection: Selection) -> Informer[W]:
        identity = (resource, kind, selection)
        if identity not in self._informers:
            informer: Informer[W] = Informer(str(resource.group_resource))
            location = Location(resource, selection.namespace)
            self._informers[identity] = (informer, Reflector(self._transport, location, selection, decoder, informer))
            if self._started:
                self._start(identity)
        return self._informers[identity][0]

    def _start(self, identity: tuple[ResourceType, Any, Selection]) -> None:
        assert self._tasks is not None, "start an InformerFactory inside its `async with`"
        if identity not in self._running:
            informer, reflector = self._informers[identity]
            self._running[identity] = self._tasks.create_task(reflector.run(), name=f"reflector {informer.name}")
