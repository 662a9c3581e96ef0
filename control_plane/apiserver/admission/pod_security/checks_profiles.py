"""Checks of both standards about AppArmor, SELinux and seccomp, in upstream's words."""

from __future__ import annotations

import json
from typing import Any, Final

from control_plane.apiserver.admission.pod_security.pod import (
    Check,
    PodView,
    Violation,
    containers_quoted,
    counted,
    quoted,
    security_of,
    setters,
)
from kube.apimachinery.meta import JsonObject

_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_GOOD_PROFILES: Final = ("RuntimeDefault", "Localhost")
_SELINUX_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})


def app_armor(pod: PodView) -> Violation | None:
    def bad(security: JsonObject) -> str | None:
        profile = security.get("appArmorProfile")
        kind = (profile or {}).get("type") or ""
        return None if profile is None or kind in _GOOD_PROFILES else kind

    names = pod.names(lambda container: bad(security_of(container)) is not None)
    values = sorted({kind for kind in (bad(pod.security), *(bad(security_of(one)) for one in pod.containers)) if kind is not None})
    annotated = sorted(
        f"{key}={json.dumps(value)}" for key, value in pod.annotations.items()
        if key.startswith(_APP_ARMOR) and value and value != "runtime/default" and not value.startswith("localhost/")
    )
    who = setters(bad(pod.security) is not None, names)
    if annotated:
        who = " and ".join(filter(None, (who, counted("annotation", annotated))))
    if not who:
        return None
    listed = [*values, *annotated]
    return Violation(
        counted("forbidden AppArmor profile", listed), f"{who} must not set AppArmor profile type to {quoted(listed)}"
    )


def _selinux(allowed: frozenset[str]) -> Check:
    def is_bad(options: JsonObject | None) -> bool:
        return options is not None and bool((options.get("type") or "") not in allowed or options.get("user") or options.get("role"))

    def check(pod: PodView) -> Violation | None:
        every: list[dict[str, Any]] = [
            options for security in (pod.security, *map(security_of, pod.containers))
            if (options := security.get("seLinuxOptions")) is not None
        ]
        who = setters(
            is_bad(pod.security.get("seLinuxOptions")), pod.names(lambda one: is_bad(security_of(one).get("seLinuxOptions")))
        )
        if not who:
            return None
        types = sorted({kind for options in every if (kind := options.get("type") or "") not in allowed})
        wrong = [f"{counted('type', types)} {quoted(types)}"] if types else []
        wrong += [f"{field} may not be set" for field in ("user", "role") if any(options.get(field) for options in every)]
        return Violation("seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(wrong)}")

    return check


selinux: Final = _selinux(_SELINUX_TYPES)
selinux_31: Final = _selinux(_SELINUX_TYPES | {"container_engine_t"})


def seccomp_annotations(pod: PodView) -> Violation | None:
    """Up to v1.18 profiles were annotations."""
    keys = (_SECCOMP_POD, *(_SECCOMP_CONTAINER + (container.get("name") or "") for container in pod.containers))
    bad = sorted({
        f"{key}={json.dumps(value)}" for key in keys
        if (value := pod.annotations.get(key)) is not None
        and value not in ("runtime/default", "docker/default") and not value.startswith("localhost/")
    })
    return Violation("seccompProfile", f"forbidden {counted('annotation', bad)} {', '.join(bad)}") if bad else None


def _seccomp_kind(security: JsonObject) -> str | None:
    """None if it says nothing."""
    profile = security.get("seccompProfile")
    return None if profile is None else profile.get("type") or ""


def seccomp_baseline(pod: PodView) -> Violation | None:
    def bad(security: JsonObject) -> bool:
        return _seccomp_kind(security) not in (None, *_GOOD_PROFILES)

    who = setters(bad(pod.security), pod.names(lambda container: bad(security_of(container))))
    if not who:
        return None
    kinds = sorted({
        kind for security in (pod.security, *map(security_of, pod.containers))
        if (kind := _seccomp_kind(security)) is not None and kind not in _GOOD_PROFILES
    })
    return Violation("seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {quoted(kinds)}")


def seccomp_restricted(pod: PodView) -> Violation | None:
    if explicit := seccomp_baseline(pod):
        return explicit
    if _seccomp_kind(pod.security) in _GOOD_PROFILES:
        return None
    silent = pod.names(lambda container: _seccomp_kind(security_of(container)) is None)
    if not silent:
        return None
    return Violation(
        "seccompProfile",
        f'pod or {containers_quoted(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    )


def seccomp_restricted_25(pod: PodView) -> Violation | None:
    return None if pod.is_windows else seccomp_restricted(pod)
