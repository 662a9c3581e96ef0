"""Nothing is written in a namespace that is not there. (NamespaceLifecycle, on by default, says so too, and more.)"""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.lookup import NAMESPACES, find, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.errors import not_found


class NamespaceExists:
    """Follows kube-apiserver's NamespaceExists."""

    name: ClassVar[str] = "NamespaceExists"

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._row = row_of("", "namespaces")

    def handles(self, operation: Operation) -> bool:
        return operation is not Operation.CONNECT

    async def validate(self, request: AdmissionRequest) -> None:
        if not request.namespace or request.resource.group_resource == NAMESPACES:
            return
        if await find(self._cache, self._row, request.namespace) is None:
            raise not_found(NAMESPACES, request.namespace)
