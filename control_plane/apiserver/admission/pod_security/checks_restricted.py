"""Checks of the restricted standard, in upstream's words. (Those about profiles: checks_profiles.py.)"""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.admission.pod_security.checks_baseline import capabilities_of
from control_plane.apiserver.admission.pod_security.pod import (
    PodView,
    Violation,
    containers_quoted,
    counted,
    quoted,
    security_of,
    setters,
)
from kube.apimachinery.meta import JsonObject

_GOOD_VOLUMES: Final = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)
_OTHER_VOLUMES: Final = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd", "flexVolume",
    "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk",
    "portworxVolume", "scaleIO", "storageos",
)


def privilege_escalation(pod: PodView) -> Violation | None:
    bad = pod.names(lambda container: security_of(container).get("allowPrivilegeEscalation") is not False)
    if not bad:
        return None
    return Violation(
        "allowPrivilegeEscalation != false", f"{containers_quoted(bad)} must set securityContext.allowPrivilegeEscalation=false"
    )


def privilege_escalation_25(pod: PodView) -> Violation | None:
    return None if pod.is_windows else privilege_escalation(pod)


def capabilities(pod: PodView) -> Violation | None:
    def forbidden(container: JsonObject) -> list[str]:
        return [name for name in capabilities_of(container, "add") if name != "NET_BIND_SERVICE"]

    keeping = pod.names(lambda container: "ALL" not in capabilities_of(container, "drop"))
    adding = pod.names(lambda container: bool(forbidden(container)))
    details = []
    if keeping:
        details.append(f'{containers_quoted(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        names = sorted({name for container in pod.containers for name in forbidden(container)})
        details.append(f"{containers_quoted(adding)} must not include {quoted(names)} in securityContext.capabilities.add")
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


def capabilities_25(pod: PodView) -> Violation | None:
    return None if pod.is_windows else capabilities(pod)


def volumes(pod: PodView) -> Violation | None:
    bad = [
        volume for volume in pod.spec.get("volumes") or () if all(volume.get(kind) is None for kind in _GOOD_VOLUMES)
    ]
    if not bad:
        return None
    names = [volume.get("name") or "" for volume in bad]
    kinds = sorted({next((kind for kind in _OTHER_VOLUMES if volume.get(kind) is not None), "unknown") for volume in bad})
    uses = "uses" if len(names) == 1 else "use"
    return Violation(
        "restricted volume types",
        f"{counted('volume', names)} {quoted(names)} {uses} {counted('restricted volume type', kinds)} {quoted(kinds)}",
    )


def run_as_non_root(pod: PodView) -> Violation | None:
    reason = "runAsNonRoot != true"
    explicit = setters(
        pod.security.get("runAsNonRoot") is False, pod.names(lambda container: security_of(container).get("runAsNonRoot") is False)
    )
    if explicit:
        return Violation(reason, f"{explicit} must not set securityContext.runAsNonRoot=false")
    if pod.security.get("runAsNonRoot") is True:
        return None
    silent = pod.names(lambda container: security_of(container).get("runAsNonRoot") is None)
    return Violation(reason, f"pod or {containers_quoted(silent)} must set securityContext.runAsNonRoot=true") if silent else None


def run_as_non_root_35(pod: PodView) -> Violation | None:
    return None if pod.has_own_users else run_as_non_root(pod)


def run_as_user(pod: PodView) -> Violation | None:
    who = setters(pod.security.get("runAsUser") == 0, pod.names(lambda container: security_of(container).get("runAsUser") == 0))
    return Violation("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def run_as_user_35(pod: PodView) -> Violation | None:
    return None if pod.has_own_users else run_as_user(pod)
