"""An Ingress that names no class gets the default one."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.lookup import annotations_of, newest_default, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource

INGRESSES: Final = GroupResource("networking.k8s.io", "ingresses")


class DefaultIngressClass:
    """Follows kube-apiserver's DefaultIngressClass."""

    name: ClassVar[str] = "DefaultIngressClass"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({INGRESSES})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._classes = row_of("networking.k8s.io", "ingressclasses")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        spec = request.obj.setdefault("spec", {})
        # The annotation is how classes were named before there was a field.
        if spec.get("ingressClassName") is not None or "kubernetes.io/ingress.class" in annotations_of(request.obj):
            return
        if default := newest_default(self._cache, self._classes, "ingressclass.kubernetes.io/is-default-class"):
            spec["ingressClassName"] = default
