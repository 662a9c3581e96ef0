"""The definitions that are there -> what is served: rows of the resource table, resources of the watch cache.

    event of the watch cache -> a changed definition: new rows at once, watches end
                             -> a new one: its objects are read first, then its rows appear
                             -> one that is gone: rows and objects go, watches end

Only the names that the lifecycle accepted are served. A kind that is built in is never replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from control_plane.apiserver.custom.kind import Definition
from control_plane.apiserver.dialing import Services
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.errors import StorageError
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.custom_rows import is_served, rows_of, storage_row
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import ResourceType, Scheme
from kube.process.log import get_logger

log = get_logger("custom-resources")

RETRY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Served:
    """What one definition brought. `shape` is all that it depends on; `stored` the row of the storage version, served or not."""

    shape: tuple[Any, ...]
    definition: Definition
    stored: ResourceType
    rows: tuple[ResourceType, ...]


def definition_row(scheme: Scheme) -> ResourceType:
    row = scheme.for_path("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    assert row is not None
    return row


class CustomResources:
    """Follows the definitions. `run` must be running for new ones to appear."""

    def __init__(self, cache: WatchCache, scheme: Scheme, services: Services | None = None) -> None:
        self._services = services
        self._cache = cache
        self._scheme = scheme
        self._served: dict[str, Served] = {}
        self._wanted: dict[str, JsonObject] = {}          # served soon: their objects are being read
        self._work = asyncio.Event()
        self._listeners: list[Callable[[str], None]] = []
        self.synced = asyncio.Event()

    def attach(self) -> None:
        self._cache.observe(definition_row(self._scheme), self._on_event, self._on_reset)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Called with the name of each definition whose objects have begun to be served."""
        self._listeners.append(listener)

    def is_serving(self, crd: JsonObject) -> bool:
        held = self._served.get(crd["metadata"]["name"])
        return held is not None and held.definition.uid == crd["metadata"].get("uid", "")

    def definition(self, name: str) -> Definition | None:
        held = self._served.get(name)
        return held.definition if held else None

    def row(self, name: str) -> ResourceType | None:
        """The row of a definition's objects as they are stored."""
        held = self._served.get(name)
        return held.stored if held else None

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._wanted:
                name, crd = next(iter(self._wanted.items()))
                await self._begin(name, crd)
            self.synced.set()

    async def settled(self) -> None:
        """Returns once everything that the cache shows is served."""
        while self._wanted:
            self.synced.clear()
            self._work.set()
            await self.synced.wait()

    def _on_event(self, event: CacheEvent) -> None:
        if event.type == "DELETED":
            self._end(event.object.name)
        else:
            self._changed(event.object.obj)

    def _on_reset(self, objects: Iterable[CachedObject]) -> None:
        held = [item.obj for item in objects]
        for name in self._served.keys() - {crd["metadata"]["name"] for crd in held}:
            self._end(name)
        for crd in held:
            self._changed(crd)

    def _changed(self, crd: JsonObject) -> None:
        name = crd["metadata"]["name"]
        held = self._served.get(name)
        if held is not None and held.definition.uid != crd["metadata"].get("uid", ""):
            self._end(name)
            held = None
        if not is_served(crd):
            return
        if held is None:
            self._wanted[name] = crd
            self._work.set()
        elif held.shape != _shape(crd):
            self._replace(name, held, crd)

    def _replace(self, name: str, held: Served, crd: JsonObject) -> None:
        made = self._made(crd)
        if made is None:
            return
        self._remove_rows(held)
        self._add_rows(made)
        self._served[name] = made
        if held.shape[0] != made.shape[0]:
            self._cache.serve_as(made.stored)
        else:
            self._cache.describe(made.stored)

    async def _begin(self, name: str, crd: JsonObject) -> None:
        made = self._made(crd)
        if made is not None:
            try:
                await self._cache.add(made.stored)
            except StorageError as error:
                log.warning("cannot read the objects of a custom kind, trying again", definition=name, error=str(error))
                await asyncio.sleep(RETRY_S)
                return
        if self._wanted.get(name) is not crd:      # changed meanwhile, or gone
            if name not in self._wanted and made is not None:
                self._cache.remove(made.stored)
            return
        del self._wanted[name]
        if made is None:
            return
        self._cache.serve_as(made.stored)      # they may have been read as an earlier state of the definition had it
        self._add_rows(made)
        self._served[name] = made
        log.info("serving a custom kind", definition=name, versions=",".join(row.version for row in made.rows))
        for listener in self._listeners:
            listener(name)

    def _end(self, name: str) -> None:
        self._wanted.pop(name, None)
        held = self._served.pop(name, None)
        if held is None:
            return
        self._remove_rows(held)
        self._cache.remove(held.stored)
        log.info("no longer serving a custom kind", definition=name)

    def _add_rows(self, served: Served) -> None:
        for row in served.rows:
            self._scheme.add(row)
            schemas().add_kind(row.gvk, row.custom.kind_schema)

    def _remove_rows(self, served: Served) -> None:
        for row in served.rows:
            self._scheme.remove(row)
            schemas().remove_kind(row.gvk)

    def _made(self, crd: JsonObject) -> Served | None:
        definition = Definition(crd, self._services)
        rows = rows_of(crd, definition.versions.__getitem__)
        stored = storage_row(crd, definition.versions.__getitem__)
        if stored is None:
            return None
        for row in rows:
            held = self._scheme.for_path(row.group, row.version, row.plural)
            if (held is not None and held.custom is None) or _is_built_in(self._scheme.for_kind(row.gvk)):
                log.warning("a custom kind would hide a built-in one", definition=definition.name)
                return None
        return Served(_shape(crd), definition, stored, tuple(rows))


def _is_built_in(row: ResourceType | None) -> bool:
    return row is not None and row.custom is None


def _shape(crd: JsonObject) -> tuple[Any, ...]:
    """(what its objects look like, what is told of them)."""
    status = crd.get("status") or {}
    conditions = [
        (condition.get("type"), condition.get("status")) for condition in status.get("conditions") or ()
        if condition.get("type") in ("Established", "NamesAccepted", "Terminating")
    ]
    return (crd["spec"], status.get("acceptedNames"), conditions, crd["metadata"].get("deletionTimestamp"))
