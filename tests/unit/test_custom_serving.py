"""Definitions and what the watch cache holds of their objects."""

from __future__ import annotations

import asyncio
from typing import Any

from control_plane.apiserver.custom.serving import CustomResources
from control_plane.storage import cached_object
from control_plane.storage.errors import StoredValue
from control_plane.storage.etcd import RangeResult
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import Scheme
from tests.support.etcd import eventually
from tests.support.memory_store import MemoryStore

PREFIX = "/registry/example.com/things/"


class SlowStore(MemoryStore):
    """Reading the things takes until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def range(self, prefix: str, **options: Any) -> RangeResult:
        if prefix != PREFIX:
            return await super().range(prefix, **options)
        self.asked.set()
        await self.go_on.wait()
        value = b'{"kind":"Thing","apiVersion":"example.com/v1","metadata":{"name":"a","namespace":"d"},"spec":{}}'
        return RangeResult([StoredValue(f"{PREFIX}d/a", value, 1, 1)], await self.current_revision(), False, 1)


def definition(default: str) -> JsonObject:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "string", "default": default}}}}}
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com", "uid": "u"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]},
        "status": {"acceptedNames": names, "storedVersions": ["v1"], "conditions": [
            {"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]},
    }


async def test_a_definition_that_changes_while_its_objects_are_read_is_served_as_it_is_then() -> None:
    store, scheme = SlowStore(), Scheme(SCHEME)
    await store.put(definition("small"))
    cache = WatchCache(store, scheme)
    served = CustomResources(cache, scheme)
    tasks = [asyncio.create_task(cache.run())]
    try:
        await cache.wait_ready()
        served.attach()
        tasks.append(asyncio.create_task(served.run()))
        await store.asked.wait()
        await store.put(definition("large"))
        await cache.fresh()
        store.go_on.set()
        await eventually(lambda: served.row("things.example.com") is not None)

        row = served.row("things.example.com")
        assert row is not None
        [held] = cache.list(row)[0]
        assert held.obj["spec"] == {"size": "large"}

        await store.remove(definition("large"))      # and of what is gone nothing is kept
        await eventually(lambda: served.row("things.example.com") is None)
        assert row.storage_identity not in cached_object._decoded
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
