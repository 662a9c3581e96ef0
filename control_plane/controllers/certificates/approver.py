"""Approves kubelets' client certificates. Follows upstream's csrapproving (sarapprove.go).

`selfnodeclient`: a node renews its own. `nodeclient`: somebody, with a bootstrap token say, asks for a node's first. Which of them the
requester may create is for the authorizer to say.
"""

from __future__ import annotations

from control_plane.certificate_requests import (
    KUBE_APISERVER_CLIENT_KUBELET,
    MalformedRequest,
    RequestedCertificate,
    kubelet_client_problem,
    parse_request,
)
from control_plane.controllers.certificates.requests import APPROVED, is_pending, look_again, with_condition
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec
from kube.api.certificates_v1 import CertificateSigningRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

_MESSAGES = {
    "selfnodeclient": "Auto approving self kubelet client certificate after SubjectAccessReview.",
    "nodeclient": "Auto approving kubelet client certificate after SubjectAccessReview.",
}


def recognised_as(request: CertificateSigningRequest, asked: RequestedCertificate) -> tuple[str, ...]:
    """The subresources whose creation would cover the request; none for what is no kubelet's client certificate. Pure."""
    if request.spec.signer_name != KUBE_APISERVER_CLIENT_KUBELET or kubelet_client_problem(asked, request.spec.usages):
        return ()
    return ("selfnodeclient", "nodeclient") if request.spec.username == asked.common_name else ("nodeclient",)


class CertificateApprover(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("certificatesigningrequest-approving", context)
        self._requests = self.informer(CertificateSigningRequest)
        self._requests.add_handler(self._on_request, lambda _old, new: self._on_request(new))

    def _on_request(self, request: CertificateSigningRequest) -> None:
        if request.spec.signer_name == KUBE_APISERVER_CLIENT_KUBELET and is_pending(request):
            self.queue.add(key_of(request))

    async def reconcile(self, key: NamespacedName) -> Result:
        request = self._requests.get(key)
        if request is None or not is_pending(request):
            return DONE
        try:
            recognised = recognised_as(request, parse_request(request.spec.request))
        except MalformedRequest as error:
            self.log.warning("request cannot be read", request=key.name, error=str(error))
            return DONE
        for subresource in recognised:
            if await self._may(request, subresource):
                await self._approve(request, _MESSAGES[subresource])
                return DONE
        return look_again(request, self.clock) if recognised else DONE

    async def _may(self, request: CertificateSigningRequest, subresource: str) -> bool:
        spec, what = request.spec, ResourceAttributes(
            group="certificates.k8s.io", resource="certificatesigningrequests", verb="create", subresource=subresource)
        review = await self.client.create(SubjectAccessReview(spec=SubjectAccessReviewSpec(
            user=spec.username, uid=spec.uid, groups=spec.groups, extra=spec.extra, resource_attributes=what)))
        return bool(review.status.allowed) and not review.status.denied

    async def _approve(self, request: CertificateSigningRequest, message: str) -> None:
        try:
            await self.client.update(with_condition(request, APPROVED, "AutoApproved", message), subresource="approval")
        except errors.NotFound:
            return
        self.log.info("approved", request=request.metadata.name, requester=request.spec.username)
