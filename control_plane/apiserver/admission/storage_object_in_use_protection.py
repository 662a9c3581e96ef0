"""Volumes, claims and attribute classes do not go while they are used: finalizers, which the protecting controllers take away."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.lookup import CLAIMS
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource

FINALIZERS: Final = {
    GroupResource("", "persistentvolumes"): "kubernetes.io/pv-protection",
    CLAIMS: "kubernetes.io/pvc-protection",
    GroupResource("storage.k8s.io", "volumeattributesclasses"): "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection:
    """Follows kube-apiserver's StorageObjectInUseProtection."""

    name: ClassVar[str] = "StorageObjectInUseProtection"
    resources: ClassVar[frozenset[GroupResource]] = frozenset(FINALIZERS)

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        finalizer = FINALIZERS[request.resource.group_resource]
        present = request.obj["metadata"].get("finalizers") or []
        if finalizer not in present:
            request.obj["metadata"]["finalizers"] = [*present, finalizer]
