"""Pods keep to the standard that their namespace's labels name; workloads that will not are warned of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from prometheus_client import CollectorRegistry

from control_plane.apiserver.admission.lookup import NAMESPACES, PODS, find, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.pod_security.config import read_configuration
from control_plane.apiserver.admission.pod_security.levels import LATEST, PREFIX, PRIVILEGED, LevelVersion, Policy, policy_of
from control_plane.apiserver.admission.pod_security.metrics import PodSecurityMetrics
from control_plane.apiserver.admission.pod_security.pod import PodView
from control_plane.apiserver.admission.pod_security.registry import violations
from kube.apimachinery.errors import Cause, InternalError, invalid
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

MAX_PODS: Final = 3000          # of a namespace that gets a new level are checked
MAX_S: Final = 1.0              # and for no longer
_AT_A_TIME: Final = 100
TEMPLATES: Final = {
    **dict.fromkeys((
        GroupResource("", "replicationcontrollers"), GroupResource("batch", "jobs"),
        *(GroupResource("apps", plural) for plural in ("replicasets", "deployments", "statefulsets", "daemonsets")),
    ), ("spec", "template")),
    GroupResource("", "podtemplates"): ("template",),
    GroupResource("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
}
_LATEST_PRIVILEGED: Final = LevelVersion(PRIVILEGED, LATEST)
_UNCHECKED_SUBRESOURCES: Final = frozenset({
    "exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status",
})


class PodSecurity:
    """Follows kube-apiserver's PodSecurity."""

    name: ClassVar[str] = "PodSecurity"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({NAMESPACES, PODS, *TEMPLATES})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._namespaces = row_of("", "namespaces")
        self._pods = row_of("", "pods")
        configuration = read_configuration(context.configuration.get(self.name))
        self._defaults = configuration.defaults.policy()
        self._exempt = configuration.exemptions
        self._metrics = PodSecurityMetrics(context.registry or CollectorRegistry())

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None:
            return
        resource = request.resource.group_resource
        if resource == NAMESPACES:
            await self._check_namespace(request, request.obj)
        elif resource == PODS:
            await self._check_pod(request, request.obj)
        else:
            await self._check_workload(request, request.obj)

    async def _check_namespace(self, request: AdmissionRequest, namespace: JsonObject) -> None:
        if request.subresource:
            return
        labels = namespace["metadata"].get("labels")
        policy, causes = policy_of(labels, self._defaults)
        if request.operation is Operation.CREATE:
            if causes:
                raise invalid(request.resource.gvk, request.name, causes)
            self._warn_exempt(request, policy, labels)
            return
        old, old_causes = policy_of((request.old or {}).get("metadata", {}).get("labels"), self._defaults)
        if causes and causes != old_causes:
            raise invalid(request.resource.gvk, request.name, causes)
        new = policy.enforce
        if new == old.enforce or new.level == PRIVILEGED:
            return
        if new.minor == old.enforce.minor and new.strictness <= old.enforce.strictness:
            return
        if request.name in self._exempt.namespaces:
            self._warn_exempt(request, policy, labels)
        else:
            request.warnings.extend(await self._existing_pods(request.name, new))

    def _warn_exempt(self, request: AdmissionRequest, policy: Policy, labels: dict[str, str] | None) -> None:
        if request.name not in self._exempt.namespaces or policy.is_privileged or policy.is_equivalent(self._defaults):
            return
        said = [
            f"{mode}={part}" for mode, part in zip(Policy._fields, policy, strict=True)
            if part.level != PRIVILEGED and any(PREFIX + key in (labels or {}) for key in (mode, f"{mode}-version"))
        ]
        request.warnings.append(
            f'namespace "{request.name}" is exempt from Pod Security, and the policy ({", ".join(said)}) will be ignored'
        )

    async def _check_pod(self, request: AdmissionRequest, pod: JsonObject) -> None:
        if request.subresource in _UNCHECKED_SUBRESOURCES or self._is_exempt(request):
            return
        namespace = await find(self._cache, self._namespaces, request.namespace)
        if namespace is None:
            self._metrics.failed(request, fatal=True)
            raise InternalError(f'Internal error occurred: failed to lookup namespace "{request.namespace}"')
        policy, causes = policy_of(namespace["metadata"].get("labels"), self._defaults)
        if not causes and policy.is_privileged:
            request.annotations[PREFIX + "enforce-policy"] = str(_LATEST_PRIVILEGED)
            self._metrics.evaluated(request, policy.enforce, "enforce", allowed=True)
            return
        if request.operation is Operation.UPDATE and not _is_significant(pod, request.old or {}):
            return
        self._evaluate(request, policy, causes, PodView(pod["metadata"], pod.get("spec") or {}), enforce=True)

    async def _check_workload(self, request: AdmissionRequest, workload: JsonObject) -> None:
        if request.subresource or self._is_exempt(request):
            return
        namespace = await find(self._cache, self._namespaces, request.namespace)
        if namespace is None:
            self._metrics.failed(request, fatal=True)
            request.annotations[PREFIX + "error"] = f'failed to lookup namespace "{request.namespace}"'
            return
        policy, causes = policy_of(namespace["metadata"].get("labels"), self._defaults)
        if not causes and policy.warn.level == policy.audit.level == PRIVILEGED:
            return
        template = workload
        for key in TEMPLATES[request.resource.group_resource]:
            template = template.get(key) or {}
        if template:
            view = PodView(template.get("metadata") or {}, template.get("spec") or {})
            self._evaluate(request, policy, causes, view, enforce=False)

    def _evaluate(
        self, request: AdmissionRequest, policy: Policy, causes: list[Cause], pod: PodView, *, enforce: bool
    ) -> None:
        """`enforce`: False for templates, whose Pods will be refused when they come."""
        if pod.spec.get("runtimeClassName") in self._exempt.runtime_classes:
            request.annotations[PREFIX + "exempt"] = "runtimeClass"
            self._metrics.exempted(request)
            return
        if causes:
            self._metrics.failed(request, fatal=False)
            said = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
            request.annotations[PREFIX + "error"] = f"Failed to parse policy: {f'[{said}]' if len(causes) > 1 else said}"
        asked = set(policy if enforce else (policy.audit, policy.warn))
        found = {held_to: _listed(violations(held_to, pod)) for held_to in asked}
        if enforce:
            request.annotations[PREFIX + "enforce-policy"] = str(policy.enforce)
            self._metrics.evaluated(request, policy.enforce, "enforce", allowed=not found[policy.enforce])
        if words := found[policy.audit]:
            self._metrics.evaluated(request, policy.audit, "audit", allowed=False)
            request.annotations[PREFIX + "audit-violations"] = f'would violate PodSecurity "{policy.audit}": {words}'
        if enforce and (words := found[policy.enforce]):
            raise request.forbidden(f'violates PodSecurity "{policy.enforce}": {words}')
        if words := found[policy.warn]:
            self._metrics.evaluated(request, policy.warn, "warn", allowed=False)
            request.warnings.append(f'would violate PodSecurity "{policy.warn}": {words}')

    async def _existing_pods(self, namespace: str, enforce: LevelVersion) -> list[str]:
        """Warnings about the Pods that would not be let in any more: one line per kind of violation."""
        pods = list(self._prioritized(held.obj for held in self._cache.list(self._pods, namespace)[0]))
        names: dict[str, list[str]] = {}
        checked, end = 0, time.monotonic() + MAX_S
        for pod in pods[:MAX_PODS]:
            checked += 1
            if found := violations(enforce, PodView(pod["metadata"], pod.get("spec") or {})):
                names.setdefault(", ".join(one.reason for one in found), []).append(pod["metadata"]["name"])
            if time.monotonic() > end:
                break
            if checked % _AT_A_TIME == 0:
                await asyncio.sleep(0)      # others' requests
        warnings = []
        if checked < len(pods):
            warnings.append(f"new PodSecurity enforce level only checked against the first {checked} of {len(pods)} existing pods")
        if names:
            warnings.append(f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{enforce}"')
        return warnings + sorted(_about(who, reason) for reason, who in names.items())

    def _prioritized(self, pods: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """One Pod of each controller first: its siblings hardly differ."""
        seen: set[str] = set()
        siblings: list[JsonObject] = []
        for pod in pods:
            if (pod.get("spec") or {}).get("runtimeClassName") in self._exempt.runtime_classes:
                continue
            owner = next((ref["uid"] for ref in pod["metadata"].get("ownerReferences") or () if ref.get("controller")), None)
            if owner is not None and owner in seen:
                siblings.append(pod)
                continue
            if owner is not None:
                seen.add(owner)
            yield pod
        yield from siblings

    def _is_exempt(self, request: AdmissionRequest) -> bool:
        if request.namespace in self._exempt.namespaces:
            request.annotations[PREFIX + "exempt"] = "namespace"
        elif request.user.name in self._exempt.usernames:
            request.annotations[PREFIX + "exempt"] = "user"
        else:
            return False
        self._metrics.exempted(request)
        return True


def _listed(found: Iterable[object]) -> str:
    return ", ".join(map(str, found))


def _about(names: list[str], reason: str) -> str:
    others = len(names) - 1
    more = f" (and {others} other pod{'s' if others > 1 else ''})" if others else ""
    return f"{min(names)}{more}: {reason}"


def _is_significant(pod: JsonObject, old: JsonObject) -> bool:
    """Nothing else that can be changed of a Pod is looked at by any check."""
    new_spec, old_spec = pod.get("spec") or {}, old.get("spec") or {}
    for key in ("containers", "initContainers"):
        if [one.get("image") for one in new_spec.get(key) or ()] != [one.get("image") for one in old_spec.get(key) or ()]:
            return True
    known = {one.get("name"): one.get("image") for one in old_spec.get("ephemeralContainers") or ()}
    return any(
        one.get("name") not in known or known[one.get("name")] != one.get("image") for one in new_spec.get("ephemeralContainers") or ()
    )
