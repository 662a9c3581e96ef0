"""A Pod's RuntimeClass must be there; its overhead, node selector and tolerations become the Pod's."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.lookup import PODS, find, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.tolerations import merged
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.scheme import GroupResource


class RuntimeClass:
    """Follows kube-apiserver's RuntimeClass."""

    name: ClassVar[str] = "RuntimeClass"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._classes = row_of("node.k8s.io", "runtimeclasses")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        found = await self._class_of(request)
        if found is None or request.obj is None:
            return
        spec = request.obj["spec"]
        if fixed := _fixed(found):
            if spec.get("overhead") and not _same(spec["overhead"], fixed):
                raise request.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec["overhead"] = dict(fixed)
        if scheduling := found.get("scheduling"):
            _set_scheduling(request, spec, scheduling)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.subresource or request.obj is None:
            return
        found = await self._class_of(request)
        overhead = (request.obj.get("spec") or {}).get("overhead")
        if found is not None and found.get("overhead") is not None:
            if not _same(overhead or {}, _fixed(found)):
                raise request.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        elif overhead is not None:
            raise request.forbidden("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")

    async def _class_of(self, request: AdmissionRequest) -> JsonObject | None:
        """None for a Pod that names none, and for all that is no Pod."""
        if request.subresource or request.obj is None:
            return None
        name = (request.obj.get("spec") or {}).get("runtimeClassName")
        if name is None:
            return None
        found = await find(self._cache, self._classes, name)
        if found is None:
            raise request.forbidden(f'pod rejected: RuntimeClass "{name}" not found')
        return found


def _set_scheduling(request: AdmissionRequest, spec: JsonObject, scheduling: JsonObject) -> None:
    selector: dict[str, str] = dict(spec.get("nodeSelector") or {})
    for key, value in sorted((scheduling.get("nodeSelector") or {}).items()):
        if (own := selector.get(key, value)) != value:
            raise request.forbidden(
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own}"
            )
        selector[key] = value
    if selector:
        spec["nodeSelector"] = selector
    if tolerations := merged(spec.get("tolerations") or (), scheduling.get("tolerations") or ()):
        spec["tolerations"] = tolerations


def _fixed(runtime_class: JsonObject) -> dict[str, str]:
    return (runtime_class.get("overhead") or {}).get("podFixed") or {}


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    return one.keys() == other.keys() and all(Quantity.parse(one[name]) == Quantity.parse(other[name]) for name in one)
