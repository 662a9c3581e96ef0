"""Images are pulled anew for each container, so that nobody runs another's private image because the node has it."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.lookup import PODS, all_containers
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource


class AlwaysPullImages:
    """Follows kube-apiserver's AlwaysPullImages."""

    name: ClassVar[str] = "AlwaysPullImages"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        pass

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or _is_ignored(request):
            return
        spec = request.obj.get("spec") or {}
        for _, container in all_containers(spec):
            container["imagePullPolicy"] = "Always"
        for volume in spec.get("volumes") or ():
            if volume.get("image") is not None:
                volume["image"]["pullPolicy"] = "Always"

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None or _is_ignored(request):
            return
        spec = request.obj.get("spec") or {}
        wrong = [
            (f"{path}.imagePullPolicy", container.get("imagePullPolicy") or "") for path, container in all_containers(spec)
            if container.get("imagePullPolicy") != "Always"
        ]
        wrong += [
            (f"spec.volumes[{index}].image.pullPolicy", volume["image"].get("pullPolicy") or "")
            for index, volume in enumerate(spec.get("volumes") or ())
            if volume.get("image") is not None and volume["image"].get("pullPolicy") != "Always"
        ]
        if wrong:
            said = [f'{path}: Unsupported value: "{policy}": supported values: "Always"' for path, policy in wrong]
            raise request.forbidden(said[0] if len(said) == 1 else f"[{', '.join(said)}]")


def _is_ignored(request: AdmissionRequest) -> bool:
    """Changing a Pod is nobody's business here unless it changes what images it runs."""
    if request.subresource:
        return True
    return request.operation is Operation.UPDATE and _images(request.obj) <= _images(request.old)


def _images(pod: JsonObject | None) -> set[str]:
    return {container.get("image") or "" for _, container in all_containers((pod or {}).get("spec") or {})}
