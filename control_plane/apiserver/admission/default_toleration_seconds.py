"""A Pod stays five minutes on a node that is lost, unless it says otherwise."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource

NOT_READY: Final = "node.kubernetes.io/not-ready"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
PODS: Final = GroupResource("", "pods")


class DefaultTolerationSeconds:
    """Follows kube-apiserver's DefaultTolerationSeconds."""

    name: ClassVar[str] = "DefaultTolerationSeconds"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._seconds = ((NOT_READY, context.not_ready_toleration_s), (UNREACHABLE, context.unreachable_toleration_s))

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def admit(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource != PODS or request.subresource or request.obj is None:
            return
        spec = request.obj.setdefault("spec", {})
        tolerations = list(spec.get("tolerations") or ())
        for taint, seconds in self._seconds:
            tolerated = any(
                toleration.get("key", "") in ("", taint) and toleration.get("effect", "") in ("", "NoExecute") for toleration in tolerations
            )
            if not tolerated:
                tolerations.append({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds})
        if tolerations:
            spec["tolerations"] = tolerations
