"""Pods: their number, and what they compute with. Follows kubernetes' pkg/quota/v1/evaluator/core/pods.go."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from control_plane.quota.amounts import ONE, Amounts, read_amounts
from control_plane.quota.pod_resources import has_pod_level, pod_limits, pod_requests
from control_plane.quota.scopes import Matcher, has_deadline, pod_in_scope
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource
from kube.process.clock import from_rfc3339

PODS: Final = GroupResource("", "pods")
REQUESTS: Final = "requests."
IMPLICIT: Final = "deviceclass.resource.kubernetes.io/"      # + the name of a DeviceClass: an extended resource that nobody named
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_NAMES: Final = frozenset({"count/pods", "pods", *_COMPUTE, *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _COMPUTE)})
_PREFIXES: Final = ("hugepages-", "requests.hugepages-")
# Whoever is under a quota of these must say how much he wants. Upstream calls that a mistake, and keeps it.
_TO_BE_SAID: Final = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})


def is_extended_request(name: str) -> bool:
    """Of a quota: requests.example.com/gpu, or a device class's."""
    return name.startswith(REQUESTS) and (("/" in name and "kubernetes.io/" not in name) or name.startswith(REQUESTS + IMPLICIT))


def is_extended(name: str) -> bool:
    """Of a container: a resource of somebody else's, as nodes offer it (example.com/gpu), or a device class's."""
    return name.startswith(IMPLICIT) or ("/" in name and "kubernetes.io/" not in name and not name.startswith(REQUESTS))


class PodEvaluator:
    resource = PODS
    in_scope: Matcher = staticmethod(pod_in_scope)

    def handles(self, operation: str, subresource: str, obj: JsonObject, old: JsonObject | None) -> bool:
        if subresource:
            return subresource == "resize" and operation == "UPDATE"
        if operation == "UPDATE" and old is not None:
            return has_deadline(obj.get("spec") or {}) != has_deadline(old.get("spec") or {})
        return operation == "CREATE"

    def names(self, hard: Iterable[str]) -> list[str]:
        return [name for name in hard if name in _NAMES or name.startswith(_PREFIXES) or is_extended_request(name)]

    def missing(self, names: Collection[str], obj: JsonObject) -> str:
        """A Pod that speaks for itself as a whole need say nothing more."""
        spec = obj.get("spec") or {}
        wanted = sorted(_TO_BE_SAID.intersection(names))
        if not wanted or has_pod_level(spec):
            return ""
        silent: dict[str, set[str]] = {}
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            resources = container.get("resources") or {}
            said = _computed(read_amounts(resources.get("requests")), read_amounts(resources.get("limits")))
            for name in wanted:
                if name not in said:
                    silent.setdefault(name, set()).add(container.get("name") or "")
        if not silent:
            return ""
        return "must specify " + "; ".join(f"{name} for: {','.join(sorted(silent[name]))}" for name in wanted if name in silent)

    def usage(self, obj: JsonObject, now: datetime) -> Amounts:
        """A Pod that is over counts as an object only."""
        if is_over(obj, now):
            return {"count/pods": ONE}
        return {"count/pods": ONE, **_computed(pod_requests(obj), pod_limits(obj))}


def is_over(pod: JsonObject, now: datetime) -> bool:
    """Finished, or overdue."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") or is_overdue(pod, now)


def is_overdue(pod: JsonObject, now: datetime) -> bool:
    """Deleted, and not gone long after its time: its node is lost, say."""
    metadata = pod.get("metadata") or {}
    going, grace = metadata.get("deletionTimestamp"), metadata.get("deletionGracePeriodSeconds")
    return going is not None and grace is not None and now > from_rfc3339(going) + timedelta(seconds=grace)


def _computed(requests: Amounts, limits: Amounts) -> Amounts:
    used = {"pods": ONE}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            used[name] = used[REQUESTS + name] = amount
        elif is_extended(name):
            used[REQUESTS + name] = amount
    for name in _COMPUTE:
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    return used
