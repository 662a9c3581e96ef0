"""A Pod carries its node's zone and region as labels, so that its containers can learn them (downward API)."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.lookup import PODS, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import GroupResource

LABELS: Final = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels:
    """Follows kube-apiserver's PodTopologyLabels. A binding's labels become the Pod's (subresources/binding.py)."""

    name: ClassVar[str] = "PodTopologyLabels"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._nodes = row_of("", "nodes")

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource not in ("", "binding"):
            return
        if request.subresource:
            target = request.obj.get("target") or {}
            node = target.get("name") or "" if target.get("kind") == "Node" else ""
        else:
            node = (request.obj.get("spec") or {}).get("nodeName") or ""
        if node and (labels := self._labels_of(node)):
            metadata = request.obj["metadata"]
            metadata["labels"] = {**(metadata.get("labels") or {}), **labels}

    def _labels_of(self, node: str) -> dict[str, str]:
        held = self._cache.get(self._nodes, NamespacedName("", node))
        labels = {} if held is None else held.obj["metadata"].get("labels") or {}
        return {key: labels[key] for key in LABELS if key in labels}
