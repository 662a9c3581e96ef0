"""A namespace is made when something is first created in it."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.lookup import NAMESPACES, find, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.errors import AlreadyExists, ApiError


class NamespaceAutoProvision:
    """Follows kube-apiserver's NamespaceAutoProvision."""

    name: ClassVar[str] = "NamespaceAutoProvision"

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._later = context.later
        self._row = row_of("", "namespaces")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.dry_run or not request.namespace or request.resource.group_resource == NAMESPACES:
            return
        if self._later.create is None or await find(self._cache, self._row, request.namespace) is not None:
            return
        try:
            await self._later.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": request.namespace}})
        except AlreadyExists:
            return
        except ApiError as error:
            raise request.forbidden(error.message) from error
