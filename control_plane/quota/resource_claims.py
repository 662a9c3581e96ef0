"""ResourceClaims: their number, and the devices they may take of each class. Follows evaluator/core/resource_claims.go.

Names of one class's devices: gpu.deviceclass.resource.k8s.io/devices. Devices count as well under the extended resource that stands for
their class (requests.example.com/gpu), as far as the Pod that the claim was made for is not charged for them already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, Protocol

from control_plane.quota.amounts import ONE, ZERO, Amounts, add, highest
from control_plane.quota.pods import IMPLICIT, REQUESTS, PodEvaluator, is_extended_request
from control_plane.quota.scopes import Matcher, no_scope
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.scheme import GroupResource

RESOURCE_CLAIMS: Final = GroupResource("resource.k8s.io", "resourceclaims")
COUNT_CLAIMS: Final = "count/resourceclaims.resource.k8s.io"
DEVICES: Final = ".deviceclass.resource.k8s.io/devices"
FOR_EXTENDED: Final = "resource.kubernetes.io/extended-resource-claim"      # annotation of a claim that the scheduler made
MOST: Final = 32                                                            # devices of one claim


class Surroundings(Protocol):
    """What else there is, which decides about claims that stand for extended resources of Pods."""

    def device_class_of(self, extended_resource: str) -> str:
        """The class behind example.com/gpu or deviceclass.resource.kubernetes.io/CLASS; "" if there is none."""

    def extended_resource_of(self, device_class: str) -> str:
        """The name that the class gives itself; "" if none."""

    def pod(self, namespace: str, name: str) -> JsonObject | None: ...

    def claims_for_extended(self, namespace: str) -> Iterable[JsonObject]:
        """Those with the annotation FOR_EXTENDED."""


class ResourceClaimEvaluator:
    resource = RESOURCE_CLAIMS
    in_scope: Matcher = staticmethod(no_scope)

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def handles(self, operation: str, subresource: str, obj: JsonObject, old: JsonObject | None) -> bool:
        return not subresource and operation in ("CREATE", "UPDATE")

    def names(self, hard: Iterable[str]) -> list[str]:
        return [
            name for name in hard
            if name == COUNT_CLAIMS or name.endswith(DEVICES)
            or (is_extended_request(name) and self._surroundings.device_class_of(name.removeprefix(REQUESTS)))
        ]

    def missing(self, names: Collection[str], obj: JsonObject) -> str:
        return ""

    def usage(self, obj: JsonObject, now: datetime) -> Amounts:
        used = {COUNT_CLAIMS: ONE}
        for request in ((obj.get("spec") or {}).get("devices") or {}).get("requests") or ():
            used = add(used, _most_of(request))
        charged = self._charged_to_pod(obj, now)
        for name, amount in [*used.items()]:
            device_class = name.removesuffix(DEVICES)
            if device_class == name:
                continue
            extended = self._surroundings.extended_resource_of(device_class)
            for other in (REQUESTS + IMPLICIT + device_class, *([REQUESTS + extended] if extended else [])):
                if (rest := amount - charged.get(other, ZERO)) > ZERO:
                    used[other] = rest
        return used

    def _charged_to_pod(self, claim: JsonObject, now: datetime) -> Amounts:
        """What the Pod is charged that this claim was made for, if that Pod and this claim really belong together."""
        metadata = claim.get("metadata") or {}
        owner = _owning_pod(metadata)
        if owner is None:
            return {}
        namespace, name = metadata.get("namespace") or "", metadata.get("name")
        pod = self._surroundings.pod(namespace, owner["name"])
        if pod is None or pod["metadata"].get("uid") != owner.get("uid"):
            return {}
        known = (pod.get("status") or {}).get("extendedResourceClaimStatus")
        if known is not None and known.get("resourceClaimName") != name:
            return {}
        if known is None and not self._is_first(claim, owner["uid"]):
            return {}
        return PodEvaluator().usage(pod, now)

    def _is_first(self, claim: JsonObject, uid: str) -> bool:
        """Of several claims for one Pod the Pod pays for the oldest."""
        metadata = claim["metadata"]
        mine = (metadata.get("creationTimestamp") or "", metadata.get("name") or "")
        for other in self._surroundings.claims_for_extended(metadata.get("namespace") or ""):
            owner = _owning_pod(other["metadata"])
            theirs = (other["metadata"].get("creationTimestamp") or "", other["metadata"].get("name") or "")
            if owner is not None and owner.get("uid") == uid and theirs < mine:
                return False
        return True


def _most_of(request: JsonObject) -> Amounts:
    """At worst: of alternatives the one that takes most of a class; "all that match" is as many as a claim may have."""
    most: Amounts = {}
    for choice in request.get("firstAvailable") or ([request["exactly"]] if request.get("exactly") else ()):
        number = {"ExactCount": choice.get("count") or 1, "All": MOST}.get(choice.get("allocationMode") or "ExactCount", 0)
        most = highest(most, {f"{choice.get('deviceClassName') or ''}{DEVICES}": Quantity.of(number)})
    return most


def _owning_pod(metadata: JsonObject) -> JsonObject | None:
    if (metadata.get("annotations") or {}).get(FOR_EXTENDED) != "true":
        return None
    owner: JsonObject | None = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), None)
    return owner if owner and (owner.get("kind"), owner.get("apiVersion")) == ("Pod", "v1") else None
