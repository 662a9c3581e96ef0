"""What claims for devices are judged by, from the informers."""

from __future__ import annotations

from collections.abc import Iterator

from control_plane.controllers.resource_quota.changes import as_json
from control_plane.controllers.resource_quota.watches import DEVICE_CLASSES, Watches
from control_plane.quota.pods import IMPLICIT, PODS
from control_plane.quota.resource_claims import FOR_EXTENDED, RESOURCE_CLAIMS
from kube.api.resource_v1 import DeviceClass
from kube.apimachinery.meta import JsonObject


class WatchedSurroundings:
    """Follows quota.resource_claims.Surroundings."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    def device_class_of(self, extended_resource: str) -> str:
        if extended_resource.startswith(IMPLICIT):
            name = extended_resource.removeprefix(IMPLICIT)
            return name if self._class(name) is not None else ""
        named = [found for found in self._watches.objects(DEVICE_CLASSES) if found.spec.extended_resource_name == extended_resource]
        # Of several the newest, then the first by name.
        named.sort(key=lambda found: found.metadata.name)
        named.sort(key=lambda found: found.metadata.creation_timestamp or "", reverse=True)
        return str(named[0].metadata.name) if named else ""

    def extended_resource_of(self, device_class: str) -> str:
        found = self._class(device_class)
        return (found.spec.extended_resource_name or "") if found is not None else ""

    def pod(self, namespace: str, name: str) -> JsonObject | None:
        found = (pod for pod in self._watches.objects(PODS, namespace) if pod.metadata.name == name)
        pod = next(found, None)
        return None if pod is None else as_json(pod)

    def claims_for_extended(self, namespace: str) -> Iterator[JsonObject]:
        for claim in self._watches.objects(RESOURCE_CLAIMS, namespace):
            if FOR_EXTENDED in claim.metadata.annotations:
                yield as_json(claim)

    def _class(self, name: str) -> DeviceClass | None:
        found: Iterator[DeviceClass] = (one for one in self._watches.objects(DEVICE_CLASSES) if one.metadata.name == name)
        return next(found, None)
