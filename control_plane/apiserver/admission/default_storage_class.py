"""A claim that names no class gets the default one."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.lookup import CLAIMS, annotations_of, newest_default, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource


class DefaultStorageClass:
    """Follows kube-apiserver's DefaultStorageClass."""

    name: ClassVar[str] = "DefaultStorageClass"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({CLAIMS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._classes = row_of("storage.k8s.io", "storageclasses")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        spec = request.obj.setdefault("spec", {})
        # The empty name is a choice: no class at all.
        if spec.get("storageClassName") is not None or "volume.beta.kubernetes.io/storage-class" in annotations_of(request.obj):
            return
        default = newest_default(
            self._cache, self._classes, "storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class",
        )
        if default:
            spec["storageClassName"] = default
