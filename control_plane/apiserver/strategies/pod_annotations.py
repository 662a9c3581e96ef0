"""Rules for annotations that mean something to Pods: mirror Pods, deletion cost, and profiles from before there were fields for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from control_plane.apiserver.strategies.paths import validate_relative_path
from control_plane.apiserver.strategies.pod_windows import containers_with_paths
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import forbidden, invalid

MIRROR: Final = "kubernetes.io/config.mirror"
DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_LOCAL: Final = "localhost/"
_SECCOMP: Final = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")}
_APP_ARMOR: Final = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default",)}


def validate_pod_annotations(annotations: Mapping[str, str], spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if MIRROR in annotations and not spec.get("nodeName"):
        causes.append(invalid(f"{path}[{MIRROR}]", annotations[MIRROR], "must set spec.nodeName if mirror pod annotation is set"))
    if (cost := annotations.get(DELETION_COST)) is not None and not _is_int32(cost):
        causes.append(invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))
    for key, value in annotations.items():
        if key == SECCOMP_POD or key.startswith(SECCOMP_CONTAINER):
            causes += _validate_seccomp(value, f"{path}.{key}")
        elif key.startswith(APP_ARMOR):
            name = key.removeprefix(APP_ARMOR)
            if all(container.get("name") != name for container, _ in containers_with_paths(spec, path)):
                causes.append(invalid(f"{path}[{key}]", name, "container not found"))
            if value not in {"", "runtime/default", "unconfined"} and not value.startswith(_LOCAL):
                causes.append(invalid(f"{path}[{key}]", value, f'invalid AppArmor profile name: "{value}"'))
    return causes


def _is_int32(text: str) -> bool:
    return len(text) < 12 and bool(_INTEGER.fullmatch(text)) and -(2**31) <= int(text) < 2**31


def _validate_seccomp(profile: str, path: str) -> list[Cause]:
    if profile in {"runtime/default", "docker/default", "unconfined"}:
        return []
    if profile.startswith(_LOCAL):
        return validate_relative_path(profile.removeprefix(_LOCAL), path)
    return [invalid(path, profile, "must be a valid seccomp profile")]


def validate_agreement(annotations: Mapping[str, str], spec: JsonObject, path: str) -> list[Cause]:
    """Where a profile is given as annotation and as field, both say the same."""
    security = spec.get("securityContext") or {}
    causes = _agree(annotations.get(SECCOMP_POD), security.get("seccompProfile"), "seccomp", f"{path}.securityContext.seccompProfile")
    windows = (spec.get("os") or {}).get("name") == "windows"
    for container, at in containers_with_paths(spec, path):
        own, name = container.get("securityContext") or {}, container.get("name") or ""
        causes += _agree(annotations.get(SECCOMP_CONTAINER + name), own.get("seccompProfile"), "seccomp",
                         f"{at}.securityContext.seccompProfile")
        if not windows:
            causes += _agree(annotations.get(APP_ARMOR + name), own.get("appArmorProfile") or security.get("appArmorProfile"), "apparmor",
                             f"{at}.securityContext.appArmorProfile")
    return causes


def _agree(annotation: str | None, profile: JsonObject | None, what: str, path: str) -> list[Cause]:
    if annotation is None or not profile:
        return []
    kind, other = profile.get("type") or "", [forbidden(f"{path}.type", f"{what} type in annotation and field must match")]
    if kind != "Localhost":
        known = (_SECCOMP if what == "seccomp" else _APP_ARMOR).get(kind)
        return [] if known is None or annotation in known else other
    if not annotation.startswith(_LOCAL):
        return other
    same = annotation.removeprefix(_LOCAL) == profile.get("localhostProfile")
    return [] if same else [forbidden(f"{path}.localhostProfile", f"{what} profile in annotation and field must match")]


def validate_annotation_change(new: Mapping[str, str], old: Mapping[str, str], path: str) -> list[Cause]:
    """What a Pod was created with stays: that it mirrors a static one, and its AppArmor profiles."""
    causes: list[Cause] = []
    for key in sorted({*old, *new}):
        armor, mirror = key.startswith(APP_ARMOR), key == MIRROR
        if not (armor or mirror) or old.get(key) == new.get(key):
            continue
        what = "AppArmor annotations" if armor else "mirror pod annotation"
        causes.append(forbidden(f"{path}[{key}]", f"may not {'remove or update' if key in old else 'add'} {what}"))
    return causes
