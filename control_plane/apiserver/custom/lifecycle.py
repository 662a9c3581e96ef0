"""What becomes of a definition: names accepted, established, and in the end its objects deleted before it goes.

Follows apiextensions' controllers (status, establish, apiapproval, finalizer). Every apiserver runs it; a write that another one has made
first is a conflict, after which there is nothing left to do. Level-triggered: a name in the queue means "look at it again".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.custom import naming
from control_plane.apiserver.custom.serving import CustomResources, definition_row
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.compare_and_swap import CompareAndSwap
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.object_meta import deep_copy
from control_plane.apiserver.registry.options import DeleteOptions, ListOptions
from control_plane.storage.cached_object import CachedObject, encode_value
from control_plane.storage.errors import StorageError
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, Conflict, NotFound
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import Scheme
from kube.process.clock import Clock, from_rfc3339
from kube.process.log import get_logger

log = get_logger("custom-resource-definitions")

HA_DELAY_S: Final = 5.0          # so that the other apiservers serve the kind before it is called established
POLL_S: Final = 0.2
CONFIRM_S: Final = 60.0          # upstream's wait for objects with finalizers; then it tells, and begins anew
RETRY_S: Final = 1.0
MASTER_LEASES: Final = "/registry/masterleases/"

Change = Callable[[JsonObject], None]


class Lifecycle:
    def __init__(
        self, store: EtcdStore, cache: WatchCache, swap: CompareAndSwap, deleter: Deleter, served: CustomResources, scheme: Scheme,
        clock: Clock,
    ) -> None:
        self._store = store
        self._cache = cache
        self._swap = swap
        self._deleter = deleter
        self._served = served
        self._row = definition_row(scheme)
        self._clock = clock
        self._dirty: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        self._served.listen(self._look_at)
        self._cache.observe(self._row, self._on_event, self._on_reset)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._dirty:
                    name = next(iter(self._dirty))
                    del self._dirty[name]
                    await self._looked_at(name)
        finally:
            for task in self._ending.values():
                task.cancel()

    def _look_at(self, name: str) -> None:
        self._dirty[name] = None
        self._wake.set()

    def _on_event(self, event: CacheEvent) -> None:
        self._look_at(event.object.name)
        if event.type == "DELETED" or (event.previous and _accepted(event.previous.obj) != _accepted(event.object.obj)):
            for other in self._others(event.object.obj):      # a name may have become free
                self._look_at(other["metadata"]["name"])

    def _on_reset(self, objects: Iterable[CachedObject]) -> None:
        for item in objects:
            self._look_at(item.name)

    async def _looked_at(self, name: str) -> None:
        try:
            await self._reconcile(name)
        except (Conflict, NotFound):
            pass      # changed meanwhile: its event brings it back
        except (ApiError, StorageError) as error:
            log.warning("cannot look after a definition, trying again", definition=name, error=str(error))
            asyncio.get_running_loop().call_later(RETRY_S, self._look_at, name)
        except Exception:      # whatever a client wrote into it: everything else must not suffer
            log.exception("cannot look after a definition", definition=name)

    async def _reconcile(self, name: str) -> None:
        item = self._cache.get(self._row, NamespacedName("", name))
        if item is None:
            return
        crd = item.obj
        if crd["metadata"].get("deletionTimestamp"):
            if naming.CLEANUP_FINALIZER in (crd["metadata"].get("finalizers") or ()) and name not in self._ending:
                self._ending[name] = asyncio.create_task(self._end(name), name=f"delete the objects of {name}")
            return
        if change := self._naming_change(crd):
            await self._write(item, change)
        elif naming.is_true(crd, naming.NAMES_ACCEPTED) and not naming.is_true(crd, naming.ESTABLISHED):
            await self._establish(item)

    def _naming_change(self, crd: JsonObject) -> Change | None:
        """What is to be written about names and approval; None when all is said."""
        names, accepted, established = naming.names_and_conditions(crd, self._others(crd))
        approval = naming.approval_condition(crd)
        told = naming.says_the_same(accepted, naming.find_condition(crd, naming.NAMES_ACCEPTED)) and _accepted(crd) == names
        if told and (approval is None or naming.says_the_same(approval, naming.find_condition(crd, naming.CONFORMANT))):
            return None

        def change(new: JsonObject) -> None:
            now = self._clock.now()
            if not told:
                new.setdefault("status", {})["acceptedNames"] = names
                naming.set_condition(new, accepted, now)
                naming.set_condition(new, established, now)
            if approval is not None:
                naming.set_condition(new, approval, now)

        return change

    async def _establish(self, item: CachedObject) -> None:
        """Once its kind is served here, and, where there are others, there too."""
        crd = item.obj
        if not self._served.is_serving(crd):
            return      # looked at again when it is
        since = (naming.find_condition(crd, naming.NAMES_ACCEPTED) or {}).get("lastTransitionTime")      # a client may leave it out
        left_s = HA_DELAY_S - (self._clock.now() - from_rfc3339(since)).total_seconds() if since else 0.0
        if left_s > 0 and len((await self._store.range(MASTER_LEASES, keys_only=True)).items) > 1:
            asyncio.get_running_loop().call_later(left_s, self._look_at, item.name)
            return
        new = naming.condition(naming.ESTABLISHED, "True", "InitialNamesAccepted", "the initial names have been accepted")
        await self._write(item, lambda obj: naming.set_condition(obj, new, self._clock.now()))

    def _others(self, crd: JsonObject) -> list[JsonObject]:
        """The other definitions of its group."""
        items, _ = self._cache.list(self._row)
        name, group = crd["metadata"]["name"], crd["spec"]["group"]
        return [item.obj for item in items if item.obj["spec"]["group"] == group and item.name != name]

    async def _write(self, item: CachedObject, change: Change) -> None:
        """Changes the definition as it was looked at. Raises Conflict when it is another meanwhile."""
        call = Call(APISERVER_USER, "update", self._row, "", item.name, "status")

        async def attempt(held: CachedObject) -> None:
            if held.obj["metadata"].get("uid") != item.obj["metadata"].get("uid") or held.revision != item.revision:
                raise Conflict("the definition has changed")
            obj = deep_copy(held.obj)
            change(obj)
            key = object_key(self._row, call.key)
            if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
                await self._store.delete(key, expected_revision=held.revision)
            elif obj != held.obj:
                await self._store.update(key, encode_value(self._row, obj), expected_revision=held.revision)

        await self._swap.change(call, attempt)

    async def _end(self, name: str) -> None:
        """Deletes the objects, waits until they are gone, lets the definition go."""
        try:
            while True:
                try:
                    if await self._ended(name):
                        return
                except (Conflict, NotFound):
                    pass
                except (ApiError, StorageError) as error:
                    log.warning("cannot delete the objects of a definition, trying again", definition=name, error=str(error))
                    await asyncio.sleep(RETRY_S)
        finally:
            del self._ending[name]

    async def _ended(self, name: str) -> bool:
        """Whether there is nothing left to do."""
        item = await self._current(name)
        if item is None or naming.CLEANUP_FINALIZER not in (item.obj["metadata"].get("finalizers") or ()):
            return True
        await self._tell(item, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        if not naming.is_true(item.obj, naming.ESTABLISHED):
            reason, message = "NeverEstablished", "resource was never established"
        else:
            try:
                await self._delete_objects(name)
            except ApiError as error:
                await self._tell(await self._current(name), "True", "InstanceDeletionFailed", f"could not issue all deletes: {error}")
                raise
            if not await self._gone(name):
                said = "could not confirm zero CustomResources remaining: timed out waiting for the condition"
                await self._tell(await self._current(name), "True", "InstanceDeletionCheck", said)
                return False
            reason, message = "InstanceDeletionCompleted", "removed all instances"

        def finished(obj: JsonObject) -> None:
            naming.set_condition(obj, naming.condition(naming.TERMINATING, "False", reason, message), self._clock.now())
            kept = [one for one in obj["metadata"].get("finalizers") or () if one != naming.CLEANUP_FINALIZER]
            obj["metadata"].pop("finalizers", None)
            if kept:
                obj["metadata"]["finalizers"] = kept

        if (item := await self._current(name)) is not None:
            await self._write(item, finished)
        return True

    async def _current(self, name: str) -> CachedObject | None:
        await self._cache.fresh()
        return self._cache.get(self._row, NamespacedName("", name))

    async def _tell(self, item: CachedObject | None, status: str, reason: str, message: str) -> None:
        if item is not None:
            new = naming.condition(naming.TERMINATING, status, reason, message)
            await self._write(item, lambda obj: naming.set_condition(obj, new, self._clock.now()))

    async def _delete_objects(self, name: str) -> None:
        if row := self._served.row(name):
            call = Call(APISERVER_USER, "deletecollection", row)
            await self._deleter.delete_collection(call, ListOptions(), DeleteOptions())

    async def _gone(self, name: str) -> bool:
        """Whether no object is left within a minute: some have finalizers."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONFIRM_S
        while loop.time() < deadline:
            row = self._served.row(name)
            if row is None or not self._cache.list(row)[0]:
                return True
            await asyncio.sleep(POLL_S)
        return False


def _accepted(crd: JsonObject) -> JsonObject:
    accepted: JsonObject = (crd.get("status") or {}).get("acceptedNames") or {}
    return accepted
