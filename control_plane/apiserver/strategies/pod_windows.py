"""Rules that depend on a Pod's operating system: Windows' own options, and what each system does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import dns_subdomain_problems, each, forbidden, invalid, not_supported, required

_SYSTEMS: Final = ("linux", "windows")
_SPEC_LIMIT_KIB: Final = 64
_DOMAIN_LENGTH: Final = 256
_USER_LENGTH: Final = 104
_NET_BIOS: Final = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS_PART: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS_DOMAIN: Final = re.compile(rf"{_DNS_PART}(?:\.{_DNS_PART})*")
_LINUX_ONLY_POD: Final = ("appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls", "runAsUser",
                          "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy")
_LINUX_ONLY: Final = ("appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
                      "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup")
_NOT_WINDOWS: Final = "cannot be set for a windows pod"


def containers_with_paths(spec: JsonObject, path: str) -> Iterator[tuple[JsonObject, str]]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            yield container, f"{path}.{key}[{index}]"


def validate_os(spec: JsonObject, path: str) -> list[Cause]:
    if spec.get("os") is None:
        return []
    name = spec["os"].get("name") or ""
    if not name:
        return [required(f"{path}.os.name")]
    if name not in _SYSTEMS:
        return [not_supported(f"{path}.os", name, _SYSTEMS)]
    return _validate_windows(spec, path) if name == "windows" else _validate_linux(spec, path)


def _validate_linux(spec: JsonObject, path: str) -> list[Cause]:
    contexts = [(spec.get("securityContext"), path), *((c.get("securityContext"), at) for c, at in containers_with_paths(spec, path))]
    return [forbidden(f"{at}.securityContext.windowsOptions", "windows options cannot be set for a linux pod")
            for context, at in contexts if (context or {}).get("windowsOptions") is not None]


def _validate_windows(spec: JsonObject, path: str) -> list[Cause]:
    context = spec.get("securityContext") or {}
    causes = [forbidden(f"{path}.securityContext.{key}", _NOT_WINDOWS) for key in _LINUX_ONLY_POD if context.get(key) not in (None, [])]
    causes += [forbidden(f"{path}.{key}", _NOT_WINDOWS) for key in ("hostUsers", "shareProcessNamespace") if spec.get(key) is not None]
    causes += [forbidden(f"{path}.{key}", _NOT_WINDOWS) for key in ("hostPID", "hostIPC") if spec.get(key)]
    for container, at in containers_with_paths(spec, path):
        own = container.get("securityContext") or {}
        causes += [forbidden(f"{at}.securityContext.{key}", _NOT_WINDOWS) for key in _LINUX_ONLY if own.get(key) is not None]
    return causes


def validate_host_processes(spec: JsonObject, path: str) -> list[Cause]:
    """Containers that are processes of the (Windows) node: all of a Pod's or none, and in the node's network."""
    whole = ((spec.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
    causes: list[Cause] = []
    count = on_host = 0
    for container, at in containers_with_paths(spec, path):
        count += 1
        own = ((container.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
        if whole is not None and own is not None and whole != own:
            causes.append(invalid(f"{at}.securityContext.windowsOptions.hostProcess", own,
                                  f"pod hostProcess value must be identical if both are specified, was {str(whole).lower()}"))
        on_host += bool(whole if own is None else own)
    if not on_host:
        return causes
    if on_host != count:
        causes.append(invalid(path, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers"))
    if not spec.get("hostNetwork"):
        causes.append(invalid(f"{path}.hostNetwork", False, "hostNetwork must be true if pod contains any hostProcess containers"))
    return causes


def validate_windows_options(options: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        causes += each(f"{path}.gmsaCredentialSpecName", name, dns_subdomain_problems(name))
    if (content := options.get("gmsaCredentialSpec")) is not None:
        at = f"{path}.gmsaCredentialSpec"
        if not content:
            causes.append(invalid(at, content, "gmsaCredentialSpec cannot be an empty string"))
        elif len(content.encode()) > _SPEC_LIMIT_KIB * 1024:
            causes.append(invalid(at, content, f"gmsaCredentialSpec size must be under {_SPEC_LIMIT_KIB} KiB"))
    if (user := options.get("runAsUserName")) is not None:
        causes += each(f"{path}.runAsUserName", user, [f"runAsUserName{problem}" for problem in _user_problems(user)])
    return causes


def _user_problems(name: str) -> list[str]:
    if not name:
        return [" cannot be an empty string"]
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        return [" cannot contain control characters"]
    if name.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, slash, user = name.rpartition("\\")
    problems: list[str] = []
    if len(domain) >= _DOMAIN_LENGTH:
        problems.append(f"'s Domain length must be under {_DOMAIN_LENGTH} characters")
    if slash and not (_NET_BIOS.fullmatch(domain) or _DNS_DOMAIN.fullmatch(domain)):
        problems.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        problems.append("'s User cannot be empty")
    elif len(user) > _USER_LENGTH:
        problems.append(f"'s User length must not be longer than {_USER_LENGTH} characters")
    if user and not user.strip(". "):
        problems.append("'s User cannot contain only periods or spaces")
    if any(char in '"/\\:;|=,+*?<>@[]' for char in user):
        problems.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return problems
