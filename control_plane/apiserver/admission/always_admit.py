"""Says yes to everything; kept because configurations name it."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation


class AlwaysAdmit:
    """Follows kube-apiserver's AlwaysAdmit (deprecated there)."""

    name: ClassVar[str] = "AlwaysAdmit"

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return False

    async def validate(self, request: AdmissionRequest) -> None:
        """Never asked."""
