"""Makes the claims of Pods' generic ephemeral volumes. Follows upstream's ephemeral-volume controller."""

from __future__ import annotations

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.pods import is_terminated
from kube.api.core_v1 import PersistentVolumeClaim, Pod, Volume
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.claims import claim_name, is_of_pod
from kube.client.controller import DONE, Result
from kube.client.objects import controller_of, key_of, owner_reference


class EphemeralVolumeController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("ephemeral-volume", context, workers=1)
        self.events = context.events.named("ephemeral_volume")
        self._pods = self.informer(Pod)
        self._claims = self.informer(PersistentVolumeClaim)
        self._pods.add_handler(self._on_pod)
        self._claims.add_handler(on_delete=self._on_claim_gone)

    def _on_pod(self, pod: Pod) -> None:
        if any(volume.ephemeral is not None for volume in pod.spec.volumes):
            self.queue.add(key_of(pod))

    def _on_claim_gone(self, claim: PersistentVolumeClaim) -> None:
        owner = controller_of(claim)
        if owner is not None and owner.kind == "Pod":
            self.queue.add(NamespacedName(claim.metadata.namespace, owner.name))

    async def reconcile(self, key: NamespacedName) -> Result:
        pod = self._pods.get(key)
        if pod is None or pod.metadata.deletion_timestamp or is_terminated(pod):
            return DONE
        for volume in pod.spec.volumes:
            if volume.ephemeral is not None:
                await self._ensure(pod, volume)
        return DONE

    async def _ensure(self, pod: Pod, volume: Volume) -> None:
        template = volume.ephemeral.volume_claim_template if volume.ephemeral is not None else None
        if template is None:
            return
        name = claim_name(pod, volume)
        held = self._claims.get(NamespacedName(pod.metadata.namespace, name))
        if held is not None:
            self._check(held, pod)
            return
        metadata = ObjectMeta(
            name=name, namespace=pod.metadata.namespace, annotations=template.metadata.annotations, labels=template.metadata.labels,
            owner_references=(owner_reference(pod),))
        try:
            await self.client.create(PersistentVolumeClaim(metadata=metadata, spec=template.spec))
        except errors.AlreadyExists:
            self._check(await self.client.get(PersistentVolumeClaim, NamespacedName(pod.metadata.namespace, name)), pod)
        except errors.ApiError as error:
            self.events.event(
                pod, "Warning", "FailedBinding", f"ephemeral volume: create PVC {pod.metadata.namespace}/{name}: {error}")
            raise

    def _check(self, claim: PersistentVolumeClaim, pod: Pod) -> None:
        if is_of_pod(claim, pod):
            return
        message = (
            f"PVC {claim.metadata.namespace}/{claim.metadata.name} was not created for pod {pod.metadata.namespace}/{pod.metadata.name} "
            "(pod is not owner)"
        )
        self.events.event(pod, "Warning", "FailedBinding", f"ephemeral volume: {message}")
