"""Defaults and bounds of a namespace's LimitRanges, for containers, Pods and claims."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

from control_plane.apiserver.admission.amounts import of_whole_pod
from control_plane.apiserver.admission.limits import over_maximum, over_ratio, over_request_maximum, under_minimum
from control_plane.apiserver.admission.lookup import CLAIMS, PODS, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.quota.amounts import Amounts, read_amounts
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

ANNOTATION: Final = "kubernetes.io/limit-ranger"
LOOK_AGAIN_S: Final = 30.0        # upstream's liveTTL
_NAMESPACES_HELD: Final = 10_000
_CONSTRAINTS: Final = (("min", under_minimum), ("max", over_maximum), ("maxLimitRequestRatio", over_ratio))


class LimitRanger:
    """Follows kube-apiserver's LimitRanger. Pods are looked at when they are made or resized, claims at each update too."""

    name: ClassVar[str] = "LimitRanger"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS, CLAIMS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._row = row_of("", "limitranges")
        self._looked: dict[str, float] = {}       # namespace -> when etcd was asked although nothing was held

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def admit(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource != PODS or request.obj is None:
            return
        for limit_range in await self._ranges(request):
            _fill_in(request.obj, limit_range)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None:
            return
        check = _problems_of_pod if request.resource.group_resource == PODS else _problems_of_claim
        for limit_range in await self._ranges(request):
            problems = list(dict.fromkeys(check(request.obj, limit_range)))
            if problems:
                raise request.forbidden(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")

    async def _ranges(self, request: AdmissionRequest) -> list[JsonObject]:
        if not _is_looked_at(request):
            return []
        found = self._cache.list(self._row, request.namespace)[0]
        now = time.monotonic()
        if not found and self._looked.get(request.namespace, -LOOK_AGAIN_S) + LOOK_AGAIN_S < now:
            # Whoever makes a namespace, its LimitRange and a Pod in one go finds the cache a moment behind.
            await self._cache.fresh()
            found = self._cache.list(self._row, request.namespace)[0]
            if len(self._looked) >= _NAMESPACES_HELD:
                self._looked.clear()
            self._looked[request.namespace] = now
        return [held.obj for held in found]


def _is_looked_at(request: AdmissionRequest) -> bool:
    if request.old is not None and request.old["metadata"].get("deletionTimestamp"):
        return False
    if request.resource.group_resource == PODS:
        # Nothing else of a Pod's containers can be changed.
        return (request.operation is Operation.CREATE and not request.subresource) or request.subresource == "resize"
    return not request.subresource


def _limits(limit_range: JsonObject) -> Iterator[JsonObject]:
    yield from (limit_range.get("spec") or {}).get("limits") or ()


def _fill_in(pod: JsonObject, limit_range: JsonObject) -> None:
    """Defaults for what containers do not say; an annotation tells which."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for limit in _limits(limit_range):
        if limit.get("type") == "Container":
            requests.update(limit.get("defaultRequest") or {})
            limits.update(limit.get("default") or {})
    spec = pod.get("spec") or {}
    notes: list[str] = []
    for key, words in (("containers", "container"), ("initContainers", "init container")):
        for container in spec.get(key) or ():
            for what, defaults in (("requests", requests), ("limits", limits)):
                if added := _add_missing(container, what, defaults):
                    notes.append(f"{', '.join(added)} {what[:-1]} for {words} {container.get('name', '')}")
    if notes:
        annotations = pod.setdefault("metadata", {}).get("annotations") or {}
        pod["metadata"]["annotations"] = {**annotations, ANNOTATION: "LimitRanger plugin set: " + "; ".join(notes)}


def _add_missing(container: JsonObject, what: str, defaults: dict[str, str]) -> list[str]:
    resources = container.get("resources") or {}
    said = resources.get(what) or {}
    added = sorted(name for name in defaults if name not in said)
    if added:
        container["resources"] = {**resources, what: {**said, **{name: defaults[name] for name in added}}}
    return added


def _problems_of_pod(pod: JsonObject, limit_range: JsonObject) -> Iterator[str]:
    spec = pod.get("spec") or {}
    for limit in _limits(limit_range):
        if limit.get("type") == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                yield from _problems(limit, read_amounts(resources.get("requests")), read_amounts(resources.get("limits")))
        elif limit.get("type") == "Pod":
            yield from _problems(limit, of_whole_pod(spec, "requests"), of_whole_pod(spec, "limits"))


def _problems(limit: JsonObject, requests: Amounts, limits: Amounts) -> Iterator[str]:
    check: Callable[..., str]
    for key, check in _CONSTRAINTS:
        for name, bound in sorted(read_amounts(limit.get(key)).items()):
            if problem := check(limit["type"], name, bound, requests.get(name), limits.get(name)):
                yield problem


def _problems_of_claim(claim: JsonObject, limit_range: JsonObject) -> Iterator[str]:
    requests = read_amounts(((claim.get("spec") or {}).get("resources") or {}).get("requests"))
    for limit in _limits(limit_range):
        if limit.get("type") != "PersistentVolumeClaim":
            continue
        for name, bound in sorted(read_amounts(limit.get("min")).items()):
            if problem := under_minimum(limit["type"], name, bound, requests.get(name), None):
                yield problem
        for name, bound in sorted(read_amounts(limit.get("max")).items()):
            if problem := over_request_maximum(limit["type"], name, bound, requests.get(name)):
                yield problem
