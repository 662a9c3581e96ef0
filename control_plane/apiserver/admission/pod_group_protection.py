"""Groups of Pods do not go while Pods are of them: a finalizer."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource

POD_GROUPS: Final = GroupResource("scheduling.k8s.io", "podgroups")
FINALIZER: Final = "scheduling.k8s.io/podgroup-protection"


class PodGroupProtection:
    """Follows kube-apiserver's PodGroupProtection, which has nothing to do unless PodGroups (GenericWorkload) are served."""

    name: ClassVar[str] = "PodGroupProtection"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({POD_GROUPS})

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        present = request.obj["metadata"].get("finalizers") or []
        if FINALIZER not in present:
            request.obj["metadata"]["finalizers"] = [*present, FINALIZER]
