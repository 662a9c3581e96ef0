"""Nobody becomes a member of system:masters, whom no authorizer can refuse anything, by a certificate request."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.signer_rights import CERTIFICATE_REQUESTS, signer_of
from control_plane.apiserver.authentication.user import MASTERS_GROUP
from control_plane.certificate_requests import KUBE_APISERVER_CLIENT, MalformedRequest, parse_request
from kube.apimachinery.scheme import GroupResource

_REFUSAL: Final = f"use of {KUBE_APISERVER_CLIENT} signer with {MASTERS_GROUP} group is not allowed"


class CertificateSubjectRestriction:
    """Follows kube-apiserver's CertificateSubjectRestriction."""

    name: ClassVar[str] = "CertificateSubjectRestriction"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({CERTIFICATE_REQUESTS})

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def validate(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource != CERTIFICATE_REQUESTS or request.subresource or request.obj is None:
            return
        if signer_of(request.obj) != KUBE_APISERVER_CLIENT:
            return
        try:
            asked = parse_request(request.obj["spec"].get("request") or "")
        except MalformedRequest as error:
            raise request.forbidden(f"failed to parse CSR: {error}") from error
        if MASTERS_GROUP in asked.organizations:
            raise request.forbidden(_REFUSAL)
