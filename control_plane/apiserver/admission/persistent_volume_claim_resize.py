"""A claim grows only if it is bound and its class allows it."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.lookup import CLAIMS, annotations_of, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.scheme import GroupResource


class PersistentVolumeClaimResize:
    """Follows kube-apiserver's PersistentVolumeClaimResize."""

    name: ClassVar[str] = "PersistentVolumeClaimResize"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({CLAIMS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._classes = row_of("storage.k8s.io", "storageclasses")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.UPDATE

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.old is None or request.subresource:
            return
        if _size(request.obj) <= _size(request.old):
            return
        if (request.old.get("status") or {}).get("phase") != "Bound":
            raise request.forbidden("Only bound persistent volume claims can be expanded")
        if not self._may_grow(_class_of(request.obj), _class_of(request.old)):
            raise request.forbidden(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
            )

    def _may_grow(self, name: str, old: str) -> bool:
        if not name or name != old:
            return False
        held = self._cache.get(self._classes, NamespacedName("", name))
        return held is not None and held.obj.get("allowVolumeExpansion") is True


def _size(claim: JsonObject) -> Quantity:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return Quantity.parse(requests.get("storage", 0))


def _class_of(claim: JsonObject) -> str:
    annotated = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class")
    return annotated if annotated is not None else (claim.get("spec") or {}).get("storageClassName") or ""
