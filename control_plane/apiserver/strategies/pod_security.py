"""Rules for security contexts, of Pods and of containers, and for what a Pod shares with its node."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.paths import validate_relative_path
from control_plane.apiserver.strategies.pod_sysctls import validate_sysctls
from control_plane.apiserver.strategies.pod_windows import validate_windows_options
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import INT32_MAX, forbidden, invalid, not_supported, range_problem, required, too_long

PROFILE_TYPES: Final = ("Localhost", "RuntimeDefault", "Unconfined")
_PROFILE_LENGTH: Final = 4095
_POD_CHOICES: Final = (
    ("supplementalGroupsPolicy", ("Merge", "Strict")), ("seLinuxChangePolicy", ("MountOption", "Recursive")),
)


def validate_pod_security(spec: JsonObject, path: str) -> list[Cause]:
    """`path` is the spec's securityContext's."""
    context = spec.get("securityContext")
    if not context:
        return _validate_shared_processes(spec, path)
    causes = [cause for key in ("fsGroup", "runAsUser", "runAsGroup") for cause in _validate_id(context.get(key), f"{path}.{key}")]
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        causes += _validate_id(group, f"{path}.supplementalGroups[{index}]")
    causes += _validate_shared_processes(spec, path)
    if sysctls := context.get("sysctls"):
        causes += validate_sysctls(
            sysctls, f"{path}.sysctls", host_network=bool(spec.get("hostNetwork")), host_ipc=bool(spec.get("hostIPC")),
        )
    change = context.get("fsGroupChangePolicy")
    if change is not None and change not in {"Always", "OnRootMismatch"}:
        causes.append(not_supported(f"{path}.fsGroupChangePolicy", change, ("Always", "OnRootMismatch")))
    causes += _validate_profiles(context, path)
    for key, known in _POD_CHOICES:
        if context.get(key) is not None and context[key] not in known:
            causes.append(not_supported(f"{path}.{key}", context[key], known))
    return causes


def _validate_shared_processes(spec: JsonObject, path: str) -> list[Cause]:
    if not (spec.get("shareProcessNamespace") and spec.get("hostPID")):
        return []
    return [invalid(f"{path}.shareProcessNamespace", True, "ShareProcessNamespace and HostPID cannot both be enabled")]


def validate_container_security(context: JsonObject, path: str, *, host_users: bool) -> list[Cause]:
    causes = [cause for key in ("runAsUser", "runAsGroup") for cause in _validate_id(context.get(key), f"{path}.{key}")]
    if (mount := context.get("procMount")) is not None:
        if mount not in {"Default", "Unmasked"}:
            causes.append(not_supported(f"{path}.procMount", mount, ("Default", "Unmasked")))
        if host_users and mount == "Unmasked":
            causes.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    if (seccomp := context.get("seccompProfile")) is not None:
        causes += _validate_seccomp(seccomp, f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            causes.append(invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            causes.append(invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
    if context.get("windowsOptions") is not None:
        causes += validate_windows_options(context["windowsOptions"], f"{path}.windowsOptions")
    if (profile := context.get("appArmorProfile")) is not None:
        causes += _validate_app_armor(profile, f"{path}.appArmorProfile")
    return causes


def _validate_profiles(context: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (seccomp := context.get("seccompProfile")) is not None:
        causes += _validate_seccomp(seccomp, f"{path}.seccompProfile")
    if context.get("windowsOptions") is not None:
        causes += validate_windows_options(context["windowsOptions"], f"{path}.windowsOptions")
    if (profile := context.get("appArmorProfile")) is not None:
        causes += _validate_app_armor(profile, f"{path}.appArmorProfile")
    return causes


def _validate_id(value: int | None, path: str) -> list[Cause]:
    return [] if value is None or 0 <= value <= INT32_MAX else [invalid(path, value, range_problem(0, INT32_MAX))]


def _validate_seccomp(profile: JsonObject, path: str) -> list[Cause]:
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    causes: list[Cause] = []
    if not kind:
        causes.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in PROFILE_TYPES:
        causes.append(not_supported(f"{path}.type", kind, PROFILE_TYPES))
    at = f"{path}.localhostProfile"
    if kind == "Localhost":
        causes += [required(at, "must be set when seccomp type is Localhost")] if local is None else validate_relative_path(local, at)
    elif local is not None:
        causes.append(invalid(at, profile, "can only be set when seccomp type is Localhost"))
    return causes


def _validate_app_armor(profile: JsonObject, path: str) -> list[Cause]:
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if not kind:
        return [required(f"{path}.type", "type is required when appArmorProfile is set")]
    if kind not in PROFILE_TYPES:
        return [not_supported(f"{path}.type", kind, PROFILE_TYPES)]
    if kind != "Localhost":
        return [] if local is None else [invalid(at, local, "can only be set when AppArmor type is Localhost")]
    if local is None:
        return [required(at, "must be set when AppArmor type is Localhost")]
    causes: list[Cause] = []
    if local.strip() != local:
        causes.append(invalid(at, local, "must not be padded with whitespace"))
    elif not local:
        causes.append(required(at, "must be set when AppArmor type is Localhost"))
    return [*causes, too_long(at, _PROFILE_LENGTH)] if len(local.encode()) > _PROFILE_LENGTH else causes


def validate_host_users(spec: JsonObject, path: str) -> list[Cause]:
    """Users of their own cannot go with namespaces of the node."""
    if spec.get("hostUsers") is not False:
        return []
    shared = (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
    return [forbidden(f"{path}.{shown}", "when `pod.Spec.HostUsers` is false") for key, shown in shared if spec.get(key)]
