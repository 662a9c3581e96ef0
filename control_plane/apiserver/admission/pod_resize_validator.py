"""A Pod on a node is not resized beyond what the node has, nor on a node that cannot."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.amounts import of_whole_pod
from control_plane.apiserver.admission.lookup import PODS, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.quota.amounts import ZERO, add, read_amounts
from kube.apimachinery.errors import ApiError, Cause
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupResource

OS_LABEL: Final = "kubernetes.io/os"


class PodResizeValidator:
    """Follows kube-apiserver's PodResizeValidator."""

    name: ClassVar[str] = "PodResizeValidator"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._nodes = row_of("", "nodes")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.UPDATE

    async def validate(self, request: AdmissionRequest) -> None:
        if request.subresource != "resize" or request.obj is None or request.old is None:
            return
        name = (request.obj.get("spec") or {}).get("nodeName") or ""
        if not name or request.obj["metadata"].get("generation") == request.old["metadata"].get("generation"):
            return
        held = self._cache.get(self._nodes, NamespacedName("", name))
        if held is None:
            raise request.forbidden(f'node "{name}" not found')
        system = (held.obj["metadata"].get("labels") or {}).get(OS_LABEL, "linux")
        if system != "linux":
            why = f'pod resize is only supported on linux nodes, node "{name}" is "{system}"'
            raise _refusal(request, why, "UnsupportedPlatform")
        if lacking := _lacking(request.obj, held.obj):
            raise _refusal(request, f"node didn't have enough allocatable resources: {lacking}", "NodeCapacity")


def _lacking(pod: JsonObject, node: JsonObject) -> str:
    spec = pod.get("spec") or {}
    asked = add(of_whole_pod(spec, "requests"), read_amounts(spec.get("overhead")))
    allocatable = read_amounts((node.get("status") or {}).get("allocatable"))
    cpu, has_cpu = asked.get("cpu", ZERO), allocatable.get("cpu", ZERO)
    memory, has_memory = asked.get("memory", ZERO), allocatable.get("memory", ZERO)
    said = []
    if cpu > has_cpu:
        said.append(f"cpu, requested: {cpu.milli_value()}, allocatable: {has_cpu.milli_value()}")
    if memory > has_memory:
        said.append(f"memory, requested: {memory.value()}, allocatable: {has_memory.value()}")
    return "; ".join(said)


def _refusal(request: AdmissionRequest, why: str, reason: str) -> ApiError:
    error = request.forbidden(why)
    error.causes = (*error.causes, Cause(reason, "", ""))
    return error
