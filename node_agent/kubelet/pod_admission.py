"""What a node refuses to run although the API took it, pure. Follows the kubelet's admit handlers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from kube.api.core_v1 import Pod
from node_agent.kubelet.security import forbidden_app_armor
from node_agent.kubelet.sysctls import forbidden_sysctl

SYSCTL_FORBIDDEN: Final = "SysctlForbidden"
APP_ARMOR: Final = "AppArmor"


class Refusal(NamedTuple):
    reason: str
    message: str


def refusal_of(pod: Pod, allowed_unsafe_sysctls: Iterable[str] = ()) -> Refusal | None:
    """None: the Pod may run."""
    for reason, message in (
        (SYSCTL_FORBIDDEN, forbidden_sysctl(pod, allowed_unsafe_sysctls)), (APP_ARMOR, forbidden_app_armor(pod)),
    ):
        if message:
            return Refusal(reason, message)
    return None
