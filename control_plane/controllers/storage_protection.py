"""Volumes, claims and attribute classes that are deleted go when nobody uses them any more: their finalizers are taken away.

Follows upstream's pvc-protection, pv-protection and vac-protection controllers. (Who puts the finalizers on is admission's
StorageObjectInUseProtection; what was made without it gets them here.)
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final, Generic

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod, Volume
from kube.api.storage_v1 import VolumeAttributesClass
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import T, controller_of, key_of
from kube.client.transport import PatchKind

CLAIM: Final = "kubernetes.io/pvc-protection"
VOLUME: Final = "kubernetes.io/pv-protection"
ATTRIBUTES: Final = "kubernetes.io/vac-protection"
_BY_CLAIM: Final = "by claim"


class _Protection(ManagedController[NamespacedName], Generic[T]):
    """Of one kind."""

    def __init__(self, name: str, context: ControllerContext, kind: type[T], finalizer: str) -> None:
        super().__init__(name, context, workers=1)
        self._kind = kind
        self._finalizer = finalizer
        self._objects = self.informer(kind)
        self._objects.add_handler(self._on_object, lambda _old, new: self._on_object(new))

    @abstractmethod
    async def _is_used(self, obj: T) -> bool: ...

    def _on_object(self, obj: T) -> None:
        if bool(obj.metadata.deletion_timestamp) == (self._finalizer in obj.metadata.finalizers):
            self.queue.add(key_of(obj))

    async def reconcile(self, key: NamespacedName) -> Result:
        obj = self._objects.get(key)
        if obj is None:
            return DONE
        present, going = obj.metadata.finalizers, bool(obj.metadata.deletion_timestamp)
        if going and self._finalizer in present and not await self._is_used(obj):
            await self._set(obj, [one for one in present if one != self._finalizer])
        elif not going and self._finalizer not in present:
            await self._set(obj, [*present, self._finalizer])
        return DONE

    async def _set(self, obj: T, finalizers: list[str]) -> None:
        """Conflicts are tried again by the queue."""
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": obj.metadata.resource_version}}
        try:
            await self.client.patch(self._kind, key_of(obj), patch, kind=PatchKind.MERGE)
        except errors.NotFound:
            return


class ClaimProtection(_Protection[PersistentVolumeClaim]):
    """A claim is used by the Pods that were scheduled with it."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("persistentvolumeclaim-protection", context, PersistentVolumeClaim, CLAIM)
        self._pods = self.informer(Pod)
        self._pods.add_index(_BY_CLAIM, lambda pod: [str(NamespacedName(pod.metadata.namespace, name)) for name in _claims_of(pod)])
        self._pods.add_handler(on_update=self._on_pod, on_delete=lambda pod: self._on_pod(pod, pod))

    def _on_pod(self, old: Pod, new: Pod) -> None:
        for name in {*_claims_of(old), *_claims_of(new)}:
            key = NamespacedName(new.metadata.namespace, name)
            claim = self._objects.get(key)
            if claim is not None and claim.metadata.deletion_timestamp:
                self.queue.add(key)

    async def _is_used(self, obj: PersistentVolumeClaim) -> bool:
        if any(_uses(pod, obj) for pod in self._pods.by_index(_BY_CLAIM, str(key_of(obj)))):
            return True
        # A Pod that was scheduled a moment ago may not be held here yet, and what goes now is gone.
        return any(_uses(pod, obj) for pod in (await self.client.list(Pod, obj.metadata.namespace)).items)


class VolumeProtection(_Protection[PersistentVolume]):
    """A volume is used while it is bound."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("persistentvolume-protection", context, PersistentVolume, VOLUME)

    async def _is_used(self, obj: PersistentVolume) -> bool:
        return obj.status.phase == "Bound"


class AttributesProtection(_Protection[VolumeAttributesClass]):
    """A class is used by claims (that want it or have it) and volumes."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("volumeattributesclass-protection", context, VolumeAttributesClass, ATTRIBUTES)
        self._claims = self.informer(PersistentVolumeClaim)
        self._volumes = self.informer(PersistentVolume)
        self._claims.add_handler(
            on_update=lambda old, new: self._left(_classes_of(old) - _classes_of(new)), on_delete=lambda one: self._left(_classes_of(one))
        )
        self._volumes.add_handler(
            on_update=lambda old, new: self._left(_class_of(old) - _class_of(new)), on_delete=lambda one: self._left(_class_of(one))
        )

    def _left(self, classes: set[str]) -> None:
        for name in classes:
            self.queue.add(NamespacedName("", name))

    async def _is_used(self, obj: VolumeAttributesClass) -> bool:
        name = obj.metadata.name
        return any(name in _classes_of(one) for one in self._claims.store.list()) or any(
            name in _class_of(one) for one in self._volumes.store.list()
        )


def _uses(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    if not pod.spec.node_name:
        return False
    is_its_own = (owner := controller_of(claim)) is not None and owner.uid == pod.metadata.uid
    # One that waits for its finalizers alone has given its ephemeral volumes back: else each could wait for the other.
    is_shut_down = bool(pod.metadata.deletion_timestamp) and pod.metadata.deletion_grace_period_seconds == 0
    return any(
        _claim_of(pod, volume) == claim.metadata.name and (volume.ephemeral is None or (is_its_own and not is_shut_down))
        for volume in pod.spec.volumes
    )


def _claims_of(pod: Pod) -> set[str]:
    return {name for volume in pod.spec.volumes if (name := _claim_of(pod, volume))}


def _claim_of(pod: Pod, volume: Volume) -> str:
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def _classes_of(claim: PersistentVolumeClaim) -> set[str]:
    return {name for name in (claim.spec.volume_attributes_class_name, claim.status.current_volume_attributes_class_name) if name}


def _class_of(volume: PersistentVolume) -> set[str]:
    return {name} if (name := volume.spec.volume_attributes_class_name) else set()
