"""Whether an extension server can be reached, as the condition Available says it. Pure.

Follows kube-aggregator's remote_available_controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from kube.apimachinery.meta import JsonObject
from kube.process.clock import to_rfc3339

AVAILABLE: Final = "Available"


class Verdict(NamedTuple):
    """`status`: "True", "False" or "Unknown"."""

    status: str
    reason: str
    message: str

    @property
    def good(self) -> bool:
        return self.status == "True"


LOCAL: Final = Verdict("True", "Local", "Local APIServices are always available")
PASSED: Final = Verdict("True", "Passed", "all checks passed")


def failed_discovery(why: str) -> Verdict:
    return Verdict("False", "FailedDiscoveryCheck", why)


def service_problem(
    namespace: str, name: str, port: int, service: JsonObject | None, slices: Iterable[JsonObject]
) -> Verdict | None:
    """What the objects alone tell; None: the server is worth a request. `slices`: the EndpointSlices of the Service."""
    shown = f'service/{name} in "{namespace}"'
    if service is None:
        return Verdict("False", "ServiceNotFound", f"{shown} is not present")
    spec = service.get("spec") or {}
    if spec.get("type", "ClusterIP") != "ClusterIP":
        return None
    wanted = next((one for one in spec.get("ports") or () if one.get("port") == port), None)
    if wanted is None:
        return Verdict("False", "ServicePortError", f"{shown} is not listening on port {port}")
    slices = list(slices)
    if not slices:
        return Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {shown}")
    port_name = wanted.get("name") or ""
    if not any(_serves(one, port_name) for one in slices):
        return Verdict(
            "False", "MissingEndpoints", f'endpointslices for {shown} have no addresses with port name "{port_name}"')
    return None


def _serves(endpoint_slice: Mapping[str, Any], port_name: str) -> bool:
    ready = any((one.get("conditions") or {}).get("ready") is not False for one in endpoint_slice.get("endpoints") or ())
    return ready and any((one.get("name") or "") == port_name and one.get("port") for one in endpoint_slice.get("ports") or ())


def condition_of(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == AVAILABLE), None)


def is_available(obj: Mapping[str, Any]) -> bool:
    held = condition_of(obj)
    return held is not None and held.get("status") == "True"


def says(obj: Mapping[str, Any], verdict: Verdict) -> bool:
    """Whether the object's condition is the verdict already."""
    held = condition_of(obj)
    return held is not None and tuple(held.get(key) for key in ("status", "reason", "message")) == verdict


def set_condition(obj: JsonObject, verdict: Verdict, now: datetime) -> None:
    """In place. The transition's time moves only with the status."""
    status = obj.get("status")
    if status is None:
        status = obj["status"] = {}
    conditions = status.get("conditions") or []
    status["conditions"] = conditions
    new = {"type": AVAILABLE, "status": verdict.status, "reason": verdict.reason, "message": verdict.message}
    held = next((one for one in conditions if one.get("type") == AVAILABLE), None)
    if held is None:
        conditions.append({"lastTransitionTime": to_rfc3339(now), **new})
        return
    if held.get("status") != verdict.status:
        held["lastTransitionTime"] = to_rfc3339(now)
    held.update(new)
