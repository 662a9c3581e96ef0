"""Who puts a certificate into a request's status needs the verb `sign` for its signer."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.signer_rights import CERTIFICATE_REQUESTS, POD_CERTIFICATE_REQUESTS, may_for_signer, signer_of
from kube.api.certificates_v1 import PodCertificateRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource
from kube.apimachinery.validation import forbidden


class CertificateSigning:
    """Follows kube-apiserver's CertificateSigning, and for certificates of Pods the strategy of their requests."""

    name: ClassVar[str] = "CertificateSigning"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({CERTIFICATE_REQUESTS, POD_CERTIFICATE_REQUESTS})

    def __init__(self, context: AdmissionContext) -> None:
        self._authorizer = context.authorizer

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.UPDATE

    async def validate(self, request: AdmissionRequest) -> None:
        if request.subresource != "status":
            return
        if request.resource.group_resource == POD_CERTIFICATE_REQUESTS:
            await self._validate_answer(request)
            return
        if request.resource.group_resource != CERTIFICATE_REQUESTS:
            return
        if _certificate(request.obj) == _certificate(request.old):
            return
        signer = signer_of(request.old)
        if not await may_for_signer(self._authorizer, request.user, "sign", signer):
            raise request.forbidden(f'user not permitted to sign requests with signerName "{signer}"')

    async def _validate_answer(self, request: AdmissionRequest) -> None:
        if (request.obj or {}).get("status") == (request.old or {}).get("status"):
            return
        signer = signer_of(request.old)
        if not await may_for_signer(self._authorizer, request.user, "sign", signer):
            why = f'User "{request.user.name}" is not permitted to "sign" for signer "{signer}"'
            raise errors.invalid(PodCertificateRequest.GVK, request.name, [forbidden("spec.signerName", why)])


def _certificate(request: JsonObject | None) -> str:
    return str(((request or {}).get("status") or {}).get("certificate") or "")
