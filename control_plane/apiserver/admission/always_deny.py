"""Says no to everything, for tests."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation


class AlwaysDeny:
    """Follows kube-apiserver's AlwaysDeny (deprecated there)."""

    name: ClassVar[str] = "AlwaysDeny"

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return True

    async def admit(self, request: AdmissionRequest) -> None:
        raise request.forbidden("admission control is denying all modifications")

    async def validate(self, request: AdmissionRequest) -> None:
        raise request.forbidden("admission control is denying all modifications")
