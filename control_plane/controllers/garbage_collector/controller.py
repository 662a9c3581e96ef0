"""The garbage collector. Follows upstream's pkg/controller/garbagecollector.

The informers of all resources feed one graph of owners. What may change an object's fate enqueues it: it or its owners are new
or changed, its owner is gone or begins to wait for its dependents, its last dependent is gone. The graph only says where to
look: before anything is deleted the object itself is read from the server, and so is an owner the graph does not know.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, Final

import msgspec

from control_plane.controllers.custom_kinds import CustomKinds
from control_plane.controllers.extension_kinds import ExtensionKinds
from control_plane.controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Item, OwnedMetadata, OwnedObject
from control_plane.controllers.garbage_collector.references import (
    Fate,
    Owners,
    OwnerState,
    dropping,
    fate,
    propagation,
    unblocking,
    without_finalizer,
)
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.namespace.content import deletable
from kube.api.core_v1 import ObjectReference
from kube.api.meta_v1 import OwnerReference
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource, GroupVersionKind, ResourceType
from kube.client.controller import DONE, Result
from kube.client.informer import Informer
from kube.client.transport import PatchKind

WORKERS: Final = 10
SYNC_TIMEOUT_S: Final = 30.0        # then it works with what it knows: what it does not know it asks for
ABSENT_OWNERS: Final = 500
Reference = tuple[str, GroupResource, NamespacedName]      # a uid, and whose it is said to be
IGNORED: Final = frozenset({("", "events"), ("events.k8s.io", "events")})


class GarbageCollector(ManagedController[str]):
    """Keys are uids."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("garbage-collector", context, workers=WORKERS)
        self._graph = Graph()
        self._absent: OrderedDict[Reference, None] = OrderedDict()
        self._monitors: dict[GroupResource, tuple[ResourceType, Informer[OwnedObject]]] = {}
        self._watching = False
        CustomKinds(self, self._on_kinds)
        self._extensions = ExtensionKinds(self, self._on_kinds)

    def watch_everything(self) -> None:
        """Some sixty watches: not a starting cluster's most urgent business."""
        self._watching = True
        self._on_kinds()

    def _on_kinds(self) -> None:
        """Follows the kinds that there are now; custom ones come and go."""
        if not self._watching:
            return
        wanted = {row.storage_identity: row for row in deletable(SCHEME) if (row.group, row.plural) not in IGNORED}
        for identity, (row, monitor) in [*self._monitors.items()]:
            if identity not in wanted or SCHEME.for_kind(row.gvk) is None:      # gone, or no longer served in this version
                del self._monitors[identity]
                self._factory.stop(monitor)
                if identity not in wanted:
                    for obj in monitor.store.list():
                        self._on_gone(obj.metadata.uid)
        for identity, row in wanted.items():
            if identity not in self._monitors:
                self._monitors[identity] = row, self._monitor(row)

    def _monitor(self, resource: ResourceType) -> Informer[OwnedObject]:
        informer: Informer[OwnedObject] = self._factory.metadata_informer(resource, OwnedObject)
        informer.add_handler(
            lambda obj: self._on_object(Item(resource, obj.metadata)),
            lambda old, new: self._on_update(resource, old, new),
            lambda obj: self._on_gone(obj.metadata.uid),
        )
        return informer

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._extensions.follow(), name=f"{self.name} extension kinds")
            tasks.create_task(super().run(), name=f"{self.name} work")

    async def wait_synced(self) -> None:
        await super().wait_synced()
        self.watch_everything()
        monitors = [monitor for _, monitor in self._monitors.values()]
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_S):
                await asyncio.gather(*(monitor.wait_synced() for monitor in monitors))
        except TimeoutError:
            missing = [monitor.name for monitor in monitors if not monitor.synced]
            self.log.warning("not all resources could be listed", resources=",".join(missing))

    def _on_update(self, resource: ResourceType, old: OwnedObject, new: OwnedObject) -> None:
        if old.metadata.uid != new.metadata.uid:
            self._on_gone(old.metadata.uid)
        self._on_object(Item(resource, new.metadata))

    def _on_object(self, item: Item) -> None:
        if not item.uid:
            return      # an extension server may show what is no object of its own
        old = self._graph.put(item)
        if item.owners and (old is None or old.owners != item.owners):
            self.queue.add(item.uid)
        if item.is_orphaning or item.is_deleting_dependents:
            self.queue.add(item.uid)
        if item.is_deleting_dependents and (old is None or not old.is_deleting_dependents):
            for dependent in self._graph.dependents(item.uid):
                self.queue.add(dependent.uid)
        if old is not None and old.owners != item.owners:
            self._wake_waiting(old)     # it may have stood in the way of one of them

    def _on_gone(self, uid: str) -> None:
        # Not remembered as absent: a list that an object is missing from is no proof, and what hangs on it would be deleted.
        item = self._graph.remove(uid)
        for dependent in self._graph.dependents(uid):
            self.queue.add(dependent.uid)
        if item is not None:
            self._wake_waiting(item)

    def _wake_waiting(self, item: Item) -> None:
        for ref in item.owners:
            owner = self._graph.get(ref.uid)
            if owner is not None and owner.is_deleting_dependents:
                self.queue.add(ref.uid)

    def _remember_absent(self, owner: Reference) -> None:
        self._absent[owner] = None
        if len(self._absent) > ABSENT_OWNERS:
            self._absent.popitem(last=False)

    async def reconcile(self, key: str) -> Result:
        known = self._graph.get(key)
        if known is None or (known.is_being_deleted and not known.is_deleting_dependents and not known.is_orphaning):
            return DONE
        if (item := await self._read(known)) is None:
            return DONE
        try:
            if item.is_orphaning:
                await self._orphan_dependents(item)
            elif item.is_deleting_dependents:
                await self._delete_dependents(item)
            elif not item.is_being_deleted and item.owners:
                await self._decide(item)
        except errors.NotFound:
            return DONE
        return DONE

    async def _read(self, item: Item) -> Item | None:
        """The object as the server has it now; None when it is gone or replaced."""
        try:
            live = await self._get(item.resource, item.key)
        except errors.NotFound:
            return None
        return Item(item.resource, live) if live.uid == item.uid else None

    async def _get(self, resource: ResourceType, key: NamespacedName) -> OwnedMetadata:
        obj = await self.client.dynamic.get(resource, key)
        return msgspec.convert(obj, OwnedObject).metadata

    async def _decide(self, item: Item) -> None:
        owners = Owners()
        for ref in item.owners:
            owners.add(ref, await self._state_of(item, ref))
        dependents = [*self._graph.dependents(item.uid)]
        match fate(owners, has_dependents=bool(dependents)):
            case Fate.DROP_REFERENCES:
                gone = {ref.uid for ref in (*owners.dangling, *owners.waiting)}
                await self._patch(item, dropping(item, gone), _kind_of_patch(item))
            case Fate.DELETE_FOREGROUND:
                if any(dependent.is_deleting_dependents for dependent in dependents) and (patch := unblocking(item)) is not None:
                    await self._patch(item, patch, _kind_of_patch(item))      # a circle of owners: nobody waits for it any more
                await self._delete(item, "Foreground")
            case Fate.DELETE:
                await self._delete(item, propagation(item))

    async def _state_of(self, item: Item, ref: OwnerReference) -> OwnerState:
        """By what the reference says, its uid alone proves nothing: it may name an object of another namespace, or none."""
        resource = SCHEME.for_kind(GroupVersionKind.of(ref.api_version, ref.kind))
        if resource is None:
            return OwnerState.SOLID         # a kind nobody here knows: no reason to delete anything
        known = self._graph.get(ref.uid)
        if known is not None and known.metadata.namespace not in ("", item.metadata.namespace):
            self._report_namespace(item, ref)
        if resource.namespaced and not item.metadata.namespace:
            self.log.warning("cluster-scoped object cannot have a namespaced owner", object=str(item.key), owner=ref.name)
            return OwnerState.SOLID
        key = NamespacedName(item.metadata.namespace if resource.namespaced else "", ref.name)
        absent = (ref.uid, resource.group_resource, key)
        if absent in self._absent:
            return OwnerState.DANGLING
        is_named = known is not None and known.key == key and known.resource.storage_identity == resource.storage_identity
        if known is not None and is_named and not known.is_being_deleted:
            return OwnerState.SOLID
        try:
            owner = await self._get(resource, key)
        except errors.NotFound:
            self._remember_absent(absent)
            return OwnerState.DANGLING
        if owner.uid != ref.uid:
            self._remember_absent(absent)
            return OwnerState.DANGLING
        return OwnerState.WAITING if Item(resource, owner).is_deleting_dependents else OwnerState.SOLID

    def _report_namespace(self, item: Item, ref: OwnerReference) -> None:
        namespace, row = item.metadata.namespace, item.resource
        named = f"[{ref.api_version}/{ref.kind}, namespace: {namespace}, name: {ref.name}, uid: {ref.uid}]"
        about = ObjectReference(
            api_version=row.api_version, kind=row.kind, namespace=namespace, name=item.metadata.name, uid=item.uid)
        self.events.event(about, "Warning", "OwnerRefInvalidNamespace", f'ownerRef {named} does not exist in namespace "{namespace}"')

    async def _orphan_dependents(self, owner: Item) -> None:
        await asyncio.gather(*(self._release(dependent, owner) for dependent in self._graph.dependents(owner.uid)))
        await self._patch(owner, without_finalizer(owner, ORPHAN), PatchKind.MERGE)

    async def _release(self, dependent: Item, owner: Item) -> None:
        try:
            await self._patch(dependent, dropping(dependent, {owner.uid}), _kind_of_patch(dependent))
        except (errors.NotFound, errors.Invalid):
            return      # gone, or no longer owned

    async def _delete_dependents(self, owner: Item) -> None:
        blocking = self._graph.blocking_dependents(owner.uid)
        if not blocking:
            await self._patch(owner, without_finalizer(owner, FOREGROUND), PatchKind.MERGE)
            return
        for dependent in blocking:
            if not dependent.is_being_deleted:
                self.queue.add(dependent.uid)

    async def _patch(self, item: Item, patch: dict[str, Any], kind: PatchKind) -> None:
        await self.client.dynamic.patch(item.resource, item.key, patch, kind=kind)

    async def _delete(self, item: Item, policy: str) -> None:
        self.log.info("deleting object", resource=str(item.resource.group_resource), object=str(item.key), policy=policy)
        # As it was looked at: an owner that it got meanwhile would be lost on it. A Conflict means to look again.
        await self.client.dynamic.delete(
            item.resource, item.key, propagation_policy=policy, uid=item.uid, resource_version=item.metadata.resource_version)


def _kind_of_patch(item: Item) -> PatchKind:
    """Custom kinds take no strategic merge patch."""
    return PatchKind.STRATEGIC if item.resource.custom is None else PatchKind.MERGE
