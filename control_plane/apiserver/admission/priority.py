"""Turns a Pod's priorityClassName into a number; there is one default class at most."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource

PODS: Final = GroupResource("", "pods")
PRIORITY_CLASSES: Final = GroupResource("scheduling.k8s.io", "priorityclasses")
# Known even before the objects are written: what starts first must be able to name them.
SYSTEM_CLASSES: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
PREEMPT: Final = "PreemptLowerPriority"


class Priority:
    """Follows kube-apiserver's Priority."""

    name: ClassVar[str] = "Priority"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS, PRIORITY_CLASSES})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        row = SCHEME.for_path("scheduling.k8s.io", "v1", "priorityclasses")
        assert row is not None
        self._classes = row

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def admit(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource != PODS or request.subresource or request.obj is None:
            return
        spec = request.obj.setdefault("spec", {})
        if request.operation is Operation.UPDATE:
            old = (request.old or {}).get("spec") or {}
            for field in ("priority", "preemptionPolicy"):
                if spec.get(field) is None and old.get(field) is not None:
                    spec[field] = old[field]
            return
        found = await self._class_of(request, spec.get("priorityClassName", ""))
        value, policy = found.get("value", 0), found.get("preemptionPolicy", PREEMPT)
        if name := found["metadata"]["name"]:
            spec["priorityClassName"] = name
        if spec.get("priority") is not None and spec["priority"] != value:
            raise request.forbidden(
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; priority admission controller "
                f"computed {value} from the given PriorityClass name"
            )
        if spec.get("preemptionPolicy") and spec["preemptionPolicy"] != policy:
            raise request.forbidden(
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; priority admission "
                f"controller computed {policy} from the given PriorityClass name"
            )
        spec["priority"], spec["preemptionPolicy"] = value, policy

    async def validate(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource != PRIORITY_CLASSES or request.subresource or request.obj is None:
            return
        if not request.obj.get("globalDefault"):
            return
        default = self._default_class()
        same = default is not None and default["metadata"]["name"] == request.obj["metadata"].get("name")
        if default is not None and not (same and request.operation is Operation.UPDATE):
            raise request.forbidden(
                f"PriorityClass {default['metadata']['name']} is already marked as default. Only one default can exist"
            )

    async def _class_of(self, request: AdmissionRequest, name: str) -> JsonObject:
        if not name:
            return self._default_class() or {"metadata": {"name": ""}}
        held = self._cache.get(self._classes, NamespacedName("", name))
        if held is None and name in SYSTEM_CLASSES:
            return {"metadata": {"name": name}, "value": SYSTEM_CLASSES[name]}
        if held is None:
            await self._cache.fresh()
            held = self._cache.get(self._classes, NamespacedName("", name))
        if held is None:
            raise request.forbidden(f"no PriorityClass with name {name} was found")
        return held.obj

    def _default_class(self) -> JsonObject | None:
        defaults = [held.obj for held in self._cache.list(self._classes)[0] if held.obj.get("globalDefault")]
        return min(defaults, key=lambda found: found.get("value", 0), default=None)
