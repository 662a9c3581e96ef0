"""Takes back the condition DisruptionTarget of Pods that were marked for disruption and then not deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.pods import condition, is_terminated
from kube.api.core_v1 import Pod, PodCondition
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.client.transport import PatchKind
from kube.process.clock import from_rfc3339, to_rfc3339

STALE_AFTER: Final = timedelta(minutes=2)
BY_KUBELET: Final = "TerminationByKubelet"       # a kubelet takes its time


class StaleDisruptionTargets(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, stale_after: timedelta = STALE_AFTER) -> None:
        super().__init__("stale-pod-disruption", context, workers=1)
        self._stale_after = stale_after
        self._pods = self.informer(Pod)
        self._pods.add_handler(self._on_pod, lambda _old, new: self._on_pod(new))

    def _on_pod(self, pod: Pod) -> None:
        if _mark(pod) is not None:
            self.queue.add(key_of(pod))

    async def reconcile(self, key: NamespacedName) -> Result:
        pod = self._pods.get(key)
        mark = _mark(pod) if pod is not None else None
        if pod is None or mark is None:
            return DONE
        now = self.clock.now()
        if mark.last_transition_time:
            wait_s = (from_rfc3339(mark.last_transition_time) + self._stale_after - now).total_seconds()
            if wait_s > 0:
                return Result(requeue_after_s=wait_s)
        gone = {
            "type": mark.type, "status": "False", "reason": None, "message": None, "lastTransitionTime": to_rfc3339(now),
            "observedGeneration": pod.metadata.generation,
        }
        metadata = {"uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version}
        patch = {"metadata": metadata, "status": {"conditions": [gone]}}
        try:
            await self.client.patch(Pod, key, patch, kind=PatchKind.STRATEGIC, subresource="status")
        except errors.NotFound:
            return DONE
        return DONE


def _mark(pod: Pod) -> PodCondition | None:
    """The condition, if it may grow stale."""
    mark = condition(pod, "DisruptionTarget")
    if mark is None or mark.status != "True" or mark.reason == BY_KUBELET or pod.metadata.deletion_timestamp or is_terminated(pod):
        return None
    return mark
