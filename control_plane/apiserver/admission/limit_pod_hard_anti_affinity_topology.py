"""A Pod may keep others off its node, not off a whole zone."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.lookup import PODS
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource

HOSTNAME: Final = "kubernetes.io/hostname"


class LimitPodHardAntiAffinityTopology:
    """Follows kube-apiserver's LimitPodHardAntiAffinityTopology."""

    name: ClassVar[str] = "LimitPodHardAntiAffinityTopology"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        affinity = ((request.obj.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") or {}
        for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
            if (key := term.get("topologyKey") or "") != HOSTNAME:
                raise request.forbidden(
                    f"affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {HOSTNAME} is allowed"
                )
