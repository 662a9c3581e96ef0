"""How often Pods were judged, let pass unjudged, or could not be judged, under upstream's names (pod-security-admission's metrics)."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter

from control_plane.apiserver.admission.lookup import NAMESPACES, PODS
from control_plane.apiserver.admission.plugin import AdmissionRequest
from control_plane.apiserver.admission.pod_security.levels import LATEST, PRIVILEGED, LevelVersion

_THIS_MINOR: Final = 37
_KINDS: Final = {PODS: "pod", NAMESPACES: "namespace"}


class PodSecurityMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        asked = ("request_operation", "resource", "subresource")
        self._evaluations = Counter(
            "pod_security_evaluations", "Policy evaluations, not those of ignored or exempt requests.",
            ("decision", "policy_level", "policy_version", "mode", *asked), registry=registry,
        )
        self._exemptions = Counter("pod_security_exemptions", "Requests that were exempt.", asked, registry=registry)
        self._errors = Counter(
            "pod_security_errors", "Errors that prevented a normal evaluation; if not fatal, restricted:latest may have been used.",
            ("fatal", *asked), registry=registry,
        )

    def evaluated(self, request: AdmissionRequest, held_to: LevelVersion, mode: str, *, allowed: bool) -> None:
        version = str(held_to).partition(":")[2]
        if held_to.level == PRIVILEGED:
            version = "latest"
        elif _THIS_MINOR < held_to.minor < LATEST:
            version = "future"
        self._evaluations.labels("allow" if allowed else "deny", held_to.level, version, mode, *_asked(request)).inc()

    def exempted(self, request: AdmissionRequest) -> None:
        self._exemptions.labels(*_asked(request)).inc()

    def failed(self, request: AdmissionRequest, *, fatal: bool) -> None:
        self._errors.labels(str(fatal).lower(), *_asked(request)).inc()


def _asked(request: AdmissionRequest) -> tuple[str, str, str]:
    return request.operation.lower(), _KINDS.get(request.resource.group_resource, "controller"), request.subresource
