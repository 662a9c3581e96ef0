"""Resources of a whole Pod (spec.resources): their defaults from and their agreement with its containers'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from control_plane.apiserver.strategies.resource_lists import may_overcommit, read, validate_requirements
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import forbidden, invalid

_HUGE: Final = "hugepages-"


def total_requests(spec: JsonObject) -> dict[str, Quantity]:
    return total_of(spec, "requests")


def total_of(spec: JsonObject, key: str) -> dict[str, Quantity]:
    """What the containers ask for together ("requests") or may have ("limits").

    All that run at once, or the largest one-shot init container beside the sidecars before it.
    """
    total = _sum(spec.get("containers") or (), key)
    largest: dict[str, Quantity] = {}
    sidecars: dict[str, Quantity] = {}
    for container in spec.get("initContainers") or ():
        own = _sum([container], key)
        if container.get("restartPolicy") == "Always":
            total, sidecars = _plus(total, own), _plus(sidecars, own)
            own = sidecars
        else:
            own = _plus(sidecars, own)
        largest = {name: max(own.get(name, Quantity.of(0)), largest.get(name, Quantity.of(0))) for name in {**largest, **own}}
    return {name: max(total.get(name, Quantity.of(0)), largest.get(name, Quantity.of(0))) for name in {**total, **largest}}


def _sum(containers: Iterable[JsonObject], key: str) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for container in containers:
        amounts = {name: read(value) for name, value in ((container.get("resources") or {}).get(key) or {}).items()}
        total = _plus(total, {name: amount for name, amount in amounts.items() if amount is not None})
    return total


def _plus(left: Mapping[str, Quantity], right: Mapping[str, Quantity]) -> dict[str, Quantity]:
    return {name: left[name] + right[name] if name in left and name in right else (left.get(name) or right.get(name) or Quantity.of(0))
            for name in {**left, **right}}


def default_pod_resources(spec: JsonObject) -> None:
    """Of a Pod that says some itself: hugepages' limits, requests and limits from its containers. Follows DefaultPodLevelResources."""
    resources = spec.get("resources") or {}
    if not resources.get("requests") and not resources.get("limits"):
        return
    requests, limits = dict(resources.get("requests") or {}), dict(resources.get("limits") or {})
    allowed = {name: str(amount) for name, amount in total_of(spec, "limits").items()}
    limits = {**{name: amount for name, amount in allowed.items() if name.startswith(_HUGE) and name not in requests}, **limits}
    asked = {name: str(amount) for name, amount in total_requests(spec).items() if _supported(name) and may_overcommit(name)}
    requests = {**{name: value for name, value in limits.items() if _supported(name)}, **asked, **requests}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    for name in requests.keys() - limits.keys():
        if _supported(name) and all(name in ((one.get("resources") or {}).get("limits") or {}) for one in containers):
            own, together = read(requests[name]), read(allowed[name])
            if own is not None and together is not None:
                limits[name] = str(max(own, together))
    for key, values in (("requests", requests), ("limits", limits)):
        if values:
            resources[key] = values


def _supported(name: str) -> bool:
    return name in {"cpu", "memory"} or name.startswith(_HUGE)


def validate_pod_resources(spec: JsonObject, path: str) -> list[Cause]:
    """`path` is spec.resources'."""
    resources = spec["resources"]
    causes: list[Cause] = []
    if resources.get("claims") is not None:
        causes.append(forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level"))
    causes += validate_requirements({key: resources.get(key) for key in ("limits", "requests")}, path, of_pod=True)
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for key, own, names in (("requests", requests, None), ("limits", limits, "hugepages-")):
        for name, amount in total_of(spec, key).items():
            said = read(own.get(name))
            if said is not None and amount > said and (names is None or name.startswith(names)):
                causes.append(invalid(f"{path}.{key}[{name}]", str(said),
                                      f"must be greater than or equal to aggregate container {key} of {amount}"))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, value in ((container.get("resources") or {}).get("limits") or {}).items():
            mine, whole = read(value), read(limits.get(name))
            if mine is not None and whole is not None and mine > whole:
                causes.append(invalid(f"{path}.containers[{index}][{name}].limits", str(mine),
                                      f"must be less than or equal to pod limits of {whole}"))
    return causes
