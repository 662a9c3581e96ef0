"""A Pod that asks for an extended resource tolerates the taint of that name, which keeps all others off the nodes that have it."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.lookup import PODS
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.strategies.resource_lists import is_extended
from kube.apimachinery.scheme import GroupResource

_EFFECT: Final = "NoSchedule"


class ExtendedResourceToleration:
    """Follows kube-apiserver's ExtendedResourceToleration."""

    name: ClassVar[str] = "ExtendedResourceToleration"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        spec = request.obj.get("spec") or {}
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        asked = {name for container in containers for name in (container.get("resources") or {}).get("requests") or ()}
        for name in sorted(filter(is_extended, asked)):
            toleration = {"key": name, "operator": "Exists", "effect": _EFFECT}
            present = spec.get("tolerations") or []
            # One for the same taint is replaced, as upstream does.
            at = next((index for index, one in enumerate(present) if _is_about(one, name)), None)
            spec["tolerations"] = [*present, toleration] if at is None else [*present[:at], toleration, *present[at + 1:]]


def _is_about(toleration: dict[str, str], name: str) -> bool:
    return (
        toleration.get("key") == name and toleration.get("effect") == _EFFECT and toleration.get("operator") == "Exists"
        and not toleration.get("value")
    )
