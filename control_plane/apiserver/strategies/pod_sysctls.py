"""Rules for a Pod's kernel settings: names that cannot leave /proc/sys. Which settings are safe is for the kubelet to say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import duplicate, invalid, required

_SEGMENT: Final = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_NAME: Final = f"({_SEGMENT}[\\./])*{_SEGMENT}"
_MAX_LENGTH: Final = 253


def validate_sysctls(sysctls: Sequence[JsonObject], path: str, *, host_network: bool, host_ipc: bool) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        at, name = f"{path}[{index}].name", sysctl.get("name") or ""
        if not name:
            causes.append(required(at))
            continue
        if len(name) > _MAX_LENGTH or not re.fullmatch(_NAME, name):
            causes.append(invalid(at, name, f"must have at most {_MAX_LENGTH} characters and match regex ^{_NAME}$"))
        elif name in names:
            causes.append(duplicate(at, name))
        names.add(name)
        dotted = name.replace("/", ".")
        if host_network and dotted.startswith("net."):
            causes.append(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
        if host_ipc and dotted.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
            causes.append(invalid(at, name, "may not be specified when 'hostIPC' is true"))
    return causes
