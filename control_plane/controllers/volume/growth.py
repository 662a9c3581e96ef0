"""What the controllers have in common that see to claims which want to grow: their keys are such claims."""

from __future__ import annotations

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.volumes.claims import wants_more
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim
from kube.apimachinery.meta import NamespacedName
from kube.client.objects import key_of


class GrowthController(ManagedController[NamespacedName]):
    def __init__(self, name: str, context: ControllerContext) -> None:
        super().__init__(name, context, workers=1)
        self._claims = self.informer(PersistentVolumeClaim)
        self._volumes = self.informer(PersistentVolume)
        self._claims.add_handler(self._on_claim, lambda _, new: self._on_claim(new))

    def _on_claim(self, claim: PersistentVolumeClaim) -> None:
        if wants_more(claim):
            self.queue.add(key_of(claim))

    def growing(self, key: NamespacedName) -> tuple[PersistentVolumeClaim, PersistentVolume] | None:
        """The claim and its volume; None if one is gone, or the claim has what it wants."""
        claim = self._claims.get(key)
        if claim is None or claim.metadata.deletion_timestamp or not wants_more(claim):
            return None
        volume = self._volumes.get(NamespacedName("", claim.spec.volume_name))
        return None if volume is None else (claim, volume)
