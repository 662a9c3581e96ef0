"""PodCertificateRequests go a quarter of an hour after they were made: kubelets have long read them. Follows upstream's pcrcleaner."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.certificates_v1 import PodCertificateRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.process.clock import from_rfc3339

LIFE: Final = timedelta(minutes=15)


class PodCertificateRequestCleaner(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("podcertificaterequest-cleaner", context, workers=1)
        self._requests = self.informer(PodCertificateRequest)
        self._requests.add_handler(lambda request: self.queue.add(key_of(request)))

    async def reconcile(self, key: NamespacedName) -> Result:
        request = self._requests.get(key)
        if request is None:
            return DONE
        rest_s = (from_rfc3339(request.metadata.creation_timestamp) + LIFE - self.clock.now()).total_seconds()
        if rest_s > 0:
            return Result(requeue_after_s=rest_s + 1)
        with suppress(errors.NotFound, errors.Conflict):
            await self.client.delete(PodCertificateRequest, key, uid=request.metadata.uid)
        return DONE
