"""No Service gets external addresses that it did not have: whoever may write one could draw others' traffic to it."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

SERVICES: Final = GroupResource("", "services")


class DenyServiceExternalIPs:
    """Follows kube-apiserver's DenyServiceExternalIPs."""

    name: ClassVar[str] = "DenyServiceExternalIPs"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({SERVICES})

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        if not request.subresource and not _addresses(request.obj) <= _addresses(request.old):
            raise request.forbidden("Use of external IPs is denied by admission control")


def _addresses(service: JsonObject | None) -> set[str]:
    return set(((service or {}).get("spec") or {}).get("externalIPs") or ())
