"""A new Node is tainted as not ready: its kubelet cannot lie about it before its first heartbeat was judged."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource

NOT_READY: Final = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
NODES: Final = GroupResource("", "nodes")


class TaintNodesByCondition:
    """Follows kube-apiserver's TaintNodesByCondition."""

    name: ClassVar[str] = "TaintNodesByCondition"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({NODES})

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource != NODES or request.subresource or request.obj is None:
            return
        spec = request.obj.setdefault("spec", {})
        taints = spec.get("taints") or []
        if all((taint.get("key"), taint.get("effect")) != (NOT_READY["key"], NOT_READY["effect"]) for taint in taints):
            spec["taints"] = [*taints, dict(NOT_READY)]
