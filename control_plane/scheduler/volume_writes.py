"""What the scheduler writes for volumes before it binds a Pod, and waits for: volumes bound, volumes made for the chosen Node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from control_plane.scheduler.volume_objects import VolumeObjects
from control_plane.volumes import names
from control_plane.volumes.claims import is_claimed_by, is_fully_bound
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import NamespacedName
from kube.client.events import reference_to
from kube.client.objects import key_of

Binding = tuple[PersistentVolume, PersistentVolumeClaim]


class VolumeWrites:
    """Between `assume` and the writes the next decisions see the volumes as taken."""

    def __init__(self, objects: VolumeObjects) -> None:
        self._objects = objects
        self._waiting: dict[NamespacedName, list[asyncio.Event]] = {}
        objects.claim_informer.add_handler(on_update=lambda _, new: self._wake(key_of(new)), on_delete=lambda one: self._wake(key_of(one)))

    def assume(self, bindings: Sequence[Binding], provisions: Iterable[PersistentVolumeClaim], node: str) -> None:
        for volume, claim in bindings:
            self._objects.volumes.assume(_bound(volume, claim))
        for claim in provisions:
            self._objects.claims.assume(_selected(claim, node))

    def forget(self, bindings: Sequence[Binding], provisions: Iterable[PersistentVolumeClaim]) -> None:
        for volume, _ in bindings:
            self._objects.volumes.forget(key_of(volume))
        for claim in provisions:
            self._objects.claims.forget(key_of(claim))

    async def bind(self, bindings: Sequence[Binding], provisions: Sequence[PersistentVolumeClaim], node: str) -> str:
        """Ends when every claim is bound; returns what stood in the way. The caller limits the time."""
        client = self._objects.client
        try:
            for volume, claim in bindings:
                if not _is_done(volume, claim):
                    await client.update(_bound(volume, claim))
            for claim in provisions:
                if claim.metadata.annotations.get(names.SELECTED_NODE) != node:
                    await client.update(_selected(claim, node))
        except ApiError as error:
            return str(error)
        waits = [self._until(key_of(claim), lambda held: "") for _, claim in bindings]
        waits += [self._until(key_of(claim), _provisioning(node)) for claim in provisions]
        return next((problem for problem in await asyncio.gather(*waits) if problem), "")

    async def _until(self, key: NamespacedName, check: Callable[[PersistentVolumeClaim], str]) -> str:
        changed = asyncio.Event()
        self._waiting.setdefault(key, []).append(changed)
        try:
            while True:
                changed.clear()
                claim = self._objects.claims.get(key)
                if claim is None:
                    return f'binding volumes: persistentvolumeclaim "{key.name}" not found'
                if is_fully_bound(claim):
                    return ""
                if problem := check(claim):
                    return f"binding volumes: {problem}"
                await changed.wait()
        finally:
            self._waiting[key].remove(changed)
            if not self._waiting[key]:
                del self._waiting[key]

    def _wake(self, key: NamespacedName) -> None:
        for event in self._waiting.get(key, ()):
            event.set()


def _provisioning(node: str) -> Callable[[PersistentVolumeClaim], str]:
    def problem(claim: PersistentVolumeClaim) -> str:
        """A provisioner that cannot serve the Node takes its name off the claim: the Pod is to be scheduled anew."""
        if claim.metadata.annotations.get(names.SELECTED_NODE) == node:
            return ""
        return f'provisioning failed for PVC "{claim.metadata.name}"'

    return problem


def _is_done(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    reference = volume.spec.claim_ref
    return reference is not None and reference.uid == claim.metadata.uid


def _bound(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    annotations = volume.metadata.annotations
    if not is_claimed_by(volume, claim):
        annotations = {**annotations, names.BOUND_BY_CONTROLLER: "yes"}
    return replace(
        volume, metadata=replace(volume.metadata, annotations=annotations), spec=replace(volume.spec, claim_ref=reference_to(claim)))


def _selected(claim: PersistentVolumeClaim, node: str) -> PersistentVolumeClaim:
    annotations = {**claim.metadata.annotations, names.SELECTED_NODE: node}
    return replace(claim, metadata=replace(claim.metadata, annotations=annotations))
