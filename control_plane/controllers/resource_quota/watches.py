"""What is counted: one informer per resource that some quota names.

Pods and Services are held by this process anyway, and the metadata of everything else by the garbage collector, whose informers are
these: so most quotas cost no watch more. Only claims are watched for quotas alone, and not before one names them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from control_plane.controllers.garbage_collector.graph import OwnedObject
from control_plane.controllers.namespace.content import deletable
from control_plane.controllers.resource_quota.changes import may_matter
from control_plane.quota.pods import PODS
from control_plane.quota.resource_claims import RESOURCE_CLAIMS
from control_plane.quota.services import SERVICES
from control_plane.quota.volume_claims import VOLUME_CLAIMS
from kube.api.core_v1 import PersistentVolumeClaim, Pod, Service
from kube.api.resource_v1 import DeviceClass, ResourceClaim
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource, ResourceType
from kube.client.informer import Informer, InformerFactory
from kube.client.objects import ApiObject, resource_of

SYNC_S: Final = 5.0
_WHOLE: Final[dict[GroupResource, type[ApiObject]]] = {
    PODS: Pod, SERVICES: Service, VOLUME_CLAIMS: PersistentVolumeClaim, RESOURCE_CLAIMS: ResourceClaim,
}
DEVICE_CLASSES: Final = GroupResource("resource.k8s.io", "deviceclasses")

OnFreed = Callable[[GroupResource, Any, Any], None]


class _Watch(NamedTuple):
    row: ResourceType
    informer: Informer[Any]


class Watches:
    def __init__(self, informers: InformerFactory, on_freed: OnFreed) -> None:
        """`on_freed`: (resource, old, new or None), where something may have been given back."""
        self._informers = informers
        self._on_freed = on_freed
        self._held: dict[GroupResource, _Watch] = {}

    def __len__(self) -> int:
        return len(self._held)

    def objects(self, resource: GroupResource, namespace: str = "") -> Sequence[Any]:
        """What is held of it; nothing if nobody asked for it by `need`."""
        held = self._live(resource)
        return held.informer.store.list(namespace) if held else ()

    def is_synced(self, resource: GroupResource) -> bool:
        return (held := self._live(resource)) is not None and held.informer.synced

    def is_whole(self, resource: GroupResource) -> bool:
        """Or there is only metadata."""
        return resource in _WHOLE

    async def need(self, resources: Sequence[GroupResource]) -> None:
        """Holds them from now on, as far as they are served; returns when they are here, or after a few seconds."""
        held = [watch.informer for resource in resources if (watch := self._watch(resource)) is not None]
        if waiting := [informer for informer in held if not informer.synced]:
            with suppress(TimeoutError):
                async with asyncio.timeout(SYNC_S):
                    await asyncio.gather(*(informer.wait_synced() for informer in waiting))

    def serves(self, resource: GroupResource) -> bool:
        return resource in _WHOLE or _row_of(resource) is not None

    def follow_kinds(self) -> None:
        """Custom kinds come and go."""
        for resource, held in [*self._held.items()]:
            if SCHEME.for_kind(held.row.gvk) is None:
                del self._held[resource]
                self._informers.stop(held.informer)

    def _live(self, resource: GroupResource) -> _Watch | None:
        """None, too, for one that the garbage collector has stopped meanwhile: its kind was gone for a while."""
        held = self._held.get(resource)
        return None if held is None or held.informer.stopped else held

    def _watch(self, resource: GroupResource) -> _Watch | None:
        if (held := self._live(resource)) is not None:
            return held
        if resource == DEVICE_CLASSES:
            return self._hold(resource, resource_of(DeviceClass), self._informers.informer(DeviceClass))
        if (kind := _WHOLE.get(resource)) is not None:
            return self._hold(resource, resource_of(kind), self._informers.informer(kind))
        if (row := _row_of(resource)) is None:
            return None
        return self._hold(resource, row, self._informers.metadata_informer(row, OwnedObject))

    def _hold(self, resource: GroupResource, row: ResourceType, informer: Informer[Any]) -> _Watch:
        held = self._held[resource] = _Watch(row, informer)

        def updated(old: Any, new: Any) -> None:
            if old.metadata.uid != new.metadata.uid:
                self._on_freed(resource, old, None)
            elif may_matter(resource, old, new):
                self._on_freed(resource, old, new)

        if row.namespaced:
            informer.add_handler(None, updated, lambda gone: self._on_freed(resource, gone, None))
        return held


def _row_of(resource: GroupResource) -> ResourceType | None:
    """The garbage collector's choice among the versions: the first."""
    for row in deletable(SCHEME, namespaced=True):
        if row.group_resource == resource and "create" in row.verbs:
            return row
    return None
