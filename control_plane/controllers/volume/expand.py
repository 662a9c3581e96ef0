"""Says on a claim that wants to grow whose work that is. Follows upstream's expand controller for volumes of CSI drivers."""

from __future__ import annotations

from typing import Final

from control_plane.controllers.managed import ControllerContext
from control_plane.controllers.volume.growth import GrowthController
from control_plane.volumes import names
from kube.api.core_v1 import PersistentVolumeClaim
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.transport import PatchKind

EXTERNAL: Final = "waiting for an external controller to expand this PVC"
NO_PLUGIN: Final = "didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC"


class VolumeExpandController(GrowthController):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("persistentvolume-expander", context)
        self.events = context.events.named("volume_expand")

    async def reconcile(self, key: NamespacedName) -> Result:
        if (found := self.growing(key)) is None:
            return DONE
        claim, volume = found
        if volume.spec.csi is None:
            self.events.event(claim, "Warning", "ExternalExpanding", NO_PLUGIN)
            return DONE
        if claim.metadata.annotations.get(names.STORAGE_RESIZER) != volume.spec.csi.driver:
            self.events.event(claim, "Normal", "ExternalExpanding", EXTERNAL)
            patch = {"metadata": {"annotations": {names.STORAGE_RESIZER: volume.spec.csi.driver}}}
            await self.client.patch(PersistentVolumeClaim, key, patch, kind=PatchKind.MERGE)
        return DONE
