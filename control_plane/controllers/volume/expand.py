"""Says on a claim that wants to grow whose work that is. Follows upstream's expand controller for volumes of CSI drivers."""

from __future__ import annotations

from typing import Final

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.volume.csi.resizer import wants_more
from control_plane.volumes import names
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.client.transport import PatchKind

EXTERNAL: Final = "waiting for an external controller to expand this PVC"
NO_PLUGIN: Final = "didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC"


class VolumeExpandController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("persistentvolume-expander", context, workers=1)
        self.events = context.events.named("volume_expand")
        self._claims = self.informer(PersistentVolumeClaim)
        self._volumes = self.informer(PersistentVolume)
        self._claims.add_handler(self._on_claim, lambda _, new: self._on_claim(new))

    def _on_claim(self, claim: PersistentVolumeClaim) -> None:
        if wants_more(claim):
            self.queue.add(key_of(claim))

    async def reconcile(self, key: NamespacedName) -> Result:
        claim = self._claims.get(key)
        volume = self._volumes.get(NamespacedName("", claim.spec.volume_name)) if claim is not None else None
        if claim is None or volume is None or not wants_more(claim):
            return DONE
        if volume.spec.csi is None:
            self.events.event(claim, "Warning", "ExternalExpanding", NO_PLUGIN)
            return DONE
        if claim.metadata.annotations.get(names.STORAGE_RESIZER) != volume.spec.csi.driver:
            self.events.event(claim, "Normal", "ExternalExpanding", EXTERNAL)
            patch = {"metadata": {"annotations": {names.STORAGE_RESIZER: volume.spec.csi.driver}}}
            await self.client.patch(PersistentVolumeClaim, key, patch, kind=PatchKind.MERGE)
        return DONE
