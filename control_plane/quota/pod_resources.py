"""What a Pod asks for as a whole. Follows component-helpers' resource/helpers.go.

Of a Pod that is being resized the highest counts of what it wants (spec), what its node has promised (status.allocatedResources)
and what its containers run with (status.resources); a resize that can never happen is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from control_plane.quota.amounts import Amounts, add, highest, read_amounts
from kube.apimachinery.meta import JsonObject

_FOR_A_WHOLE_POD: Final = frozenset({"cpu", "memory"})

_Reading = Callable[[JsonObject, JsonObject], Mapping[str, Any] | None]      # (container, its status) -> resources


def pod_requests(pod: JsonObject) -> Amounts:
    """Containers and sidecars together, or an init container's more; what the Pod itself says comes first. Plus the overhead."""
    spec = pod.get("spec") or {}
    total = _of_containers(pod, "requests", _requests_promised, _requests_running)
    total.update(pod_level(spec, "requests"))
    return add(total, read_amounts(spec.get("overhead")))


def pod_limits(pod: JsonObject) -> Amounts:
    spec = pod.get("spec") or {}
    total = _of_containers(pod, "limits", _limits_running)
    total.update(pod_level(spec, "limits"))
    # Where nothing is limited, the overhead is no limit.
    return add(total, {name: amount for name, amount in read_amounts(spec.get("overhead")).items() if total.get(name)})


def has_pod_level(spec: JsonObject) -> bool:
    return bool(pod_level(spec, "requests") or pod_level(spec, "limits"))


def pod_level(spec: JsonObject, key: str) -> Amounts:
    """Of spec.resources what a Pod as a whole may ask for. `key`: requests, limits."""
    amounts = (spec.get("resources") or {}).get(key) or {}
    return read_amounts({name: amount for name, amount in amounts.items() if name in _FOR_A_WHOLE_POD or name.startswith("hugepages-")})


def _of_containers(pod: JsonObject, key: str, *held: _Reading) -> Amounts:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}

    def wanted(container: JsonObject, _status: JsonObject) -> Any:
        return (container.get("resources") or {}).get(key)

    statuses = {
        one.get("name"): one for kind in ("initContainerStatuses", "containerStatuses") for one in status.get(kind) or ()
        if one.get("resources") is not None or one.get("allocatedResources") is not None
    }
    if not statuses:      # nothing is held yet
        return _sum(spec, {}, wanted)
    hopeless = _is_resize_infeasible(status)
    total: Amounts = {} if hopeless else _sum(spec, {}, wanted)
    for reading in held:
        def known(container: JsonObject, one: JsonObject, reading: _Reading = reading) -> Any:
            found = reading(container, one)
            return found if found is not None or hopeless else wanted(container, one)

        total = highest(total, _sum(spec, statuses, known))
    return total


def _sum(spec: JsonObject, statuses: Mapping[Any, JsonObject], reading: _Reading) -> Amounts:
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = add(total, read_amounts(reading(container, statuses.get(container.get("name"), {}))))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = read_amounts(reading(container, statuses.get(container.get("name"), {})))
        if container.get("restartPolicy") == "Always":
            total, sidecars = add(total, own), add(sidecars, own)
            peak = highest(peak, sidecars)
        else:
            peak = highest(peak, add(own, sidecars))
    return highest(total, peak)


def _requests_promised(_container: JsonObject, status: JsonObject) -> Mapping[str, Any] | None:
    return status.get("allocatedResources")


def _requests_running(_container: JsonObject, status: JsonObject) -> Mapping[str, Any] | None:
    requests = (status.get("resources") or {}).get("requests")
    return status.get("allocatedResources") if requests is None else requests


def _limits_running(_container: JsonObject, status: JsonObject) -> Mapping[str, Any] | None:
    return (status.get("resources") or {}).get("limits")


def _is_resize_infeasible(status: JsonObject) -> bool:
    pending = next((one for one in status.get("conditions") or () if one.get("type") == "PodResizePending"), None)
    return pending is not None and pending.get("reason") == "Infeasible"
