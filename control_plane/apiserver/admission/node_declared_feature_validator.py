"""A Pod on a node is not changed into what its node has not declared that it can do (status.declaredFeatures)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from control_plane.apiserver.admission.lookup import PODS, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.scheme import GroupResource


class NodeDeclaredFeatureValidator:
    """Follows kube-apiserver's NodeDeclaredFeatureValidator, and of the features those that a Pod's change may need."""

    name: ClassVar[str] = "NodeDeclaredFeatureValidator"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._nodes = row_of("", "nodes")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.UPDATE

    async def validate(self, request: AdmissionRequest) -> None:
        if request.subresource not in ("", "resize") or request.obj is None or request.old is None:
            return
        spec = request.obj.get("spec") or {}
        name = spec.get("nodeName") or ""
        if not name or request.obj["metadata"].get("generation") == request.old["metadata"].get("generation"):
            return
        old = request.old.get("spec") or {}
        needed = [feature for feature, is_needed in FEATURES if is_needed(old, spec)]
        if not needed:
            return
        held = self._cache.get(self._nodes, NamespacedName("", name))
        if held is None:
            raise request.forbidden(f'node "{name}" not found')
        declared = (held.obj.get("status") or {}).get("declaredFeatures") or ()
        if missing := [feature for feature in needed if feature not in declared]:
            raise request.forbidden(f'pod update requires features {", ".join(missing)} which are not available on node "{name}"')


def _resizes_the_pod(old: JsonObject, new: JsonObject) -> bool:
    return bool((old.get("resources") or new.get("resources")) and old.get("resources") != new.get("resources"))


def _resizes_init_containers(old: JsonObject, new: JsonObject) -> bool:
    return any(
        one.get("restartPolicy") != "Always" and (one.get("resources") or {}) != (other.get("resources") or {})
        for one, other in zip(old.get("initContainers") or (), new.get("initContainers") or (), strict=False)
    )


def _resizes_volumes_in_memory(old: JsonObject, new: JsonObject) -> bool:
    volumes, others = old.get("volumes") or (), new.get("volumes") or ()
    return len(volumes) == len(others) and any(
        one.get("name") == other.get("name") and (other.get("emptyDir") or {}).get("medium") == "Memory"
        and _differ((one.get("emptyDir") or {}).get("sizeLimit"), other["emptyDir"].get("sizeLimit"))
        for one, other in zip(volumes, others, strict=True)
    )


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and Quantity.parse(one) != Quantity.parse(other)


# By name, as messages list them.
FEATURES: Final[tuple[tuple[str, Callable[[JsonObject, JsonObject], bool]], ...]] = (
    ("InPlacePodLevelResourcesVerticalScaling", _resizes_the_pod),
    ("InPlacePodVerticalScalingInitContainers", _resizes_init_containers),
    ("InPlacePodVerticalScalingMemoryBackedVolumes", _resizes_volumes_in_memory),
)
