"""Who approves or denies a certificate request needs the verb `approve` for its signer."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.signer_rights import CERTIFICATE_REQUESTS, may_for_signer, signer_of
from kube.apimachinery.scheme import GroupResource


class CertificateApproval:
    """Follows kube-apiserver's CertificateApproval."""

    name: ClassVar[str] = "CertificateApproval"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({CERTIFICATE_REQUESTS})

    def __init__(self, context: AdmissionContext) -> None:
        self._authorizer = context.authorizer

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.UPDATE

    async def validate(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource != CERTIFICATE_REQUESTS or request.subresource != "approval":
            return
        signer = signer_of(request.old)
        if not await may_for_signer(self._authorizer, request.user, "approve", signer):
            raise request.forbidden(f'user not permitted to approve requests with signerName "{signer}"')
