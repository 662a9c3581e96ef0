"""Resources of a whole Pod (spec.resources): their defaults from and their agreement with its containers'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from control_plane.apiserver.strategies.resource_lists import may_overcommit, read, validate_requirements
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import forbidden, invalid


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


def default_pod_requests(spec: JsonObject) -> None:
    """Where the Pod has limits: its requests are what its containers ask for, and otherwise the limits."""
    resources = spec.get("resources") or {}
    limits = resources.get("limits") or {}
    if not limits:
        return
    asked = {name: str(amount) for name, amount in total_requests(spec).items() if name in {"cpu", "memory"} and may_overcommit(name)}
    supported = {name: value for name, value in limits.items() if name in {"cpu", "memory"} or name.startswith("hugepages-")}
    if requests := {**supported, **asked, **(resources.get("requests") or {})}:
        resources["requests"] = requests


def validate_pod_resources(spec: JsonObject, path: str) -> list[Cause]:
    """`path` is spec.resources'."""
    resources = spec["resources"]
    causes: list[Cause] = []
    if resources.get("claims") is not None:
        causes.append(forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level"))
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
