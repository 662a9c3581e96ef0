"""What a node refuses to run although the API took it, pure. Follows pkg/kubelet/sysctl: only settings that stay within the Pod."""

from __future__ import annotations

from typing import Final, NamedTuple

from kube.api.core_v1 import Pod

SYSCTL_FORBIDDEN: Final = "SysctlForbidden"

# Kept apart by the kernel per namespace, and without influence on other Pods of the node: name -> namespace.
SAFE_SYSCTLS: Final = {
    "kernel.shm_rmid_forced": "IPC",
    **dict.fromkeys((
        "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    ), "network"),
}


class Refusal(NamedTuple):
    reason: str
    message: str


def refusal_of(pod: Pod) -> Refusal | None:
    """None: the Pod may run."""
    context = pod.spec.security_context
    for sysctl in context.sysctls if context is not None else ():
        name = canonical_sysctl(sysctl.name)
        namespace = SAFE_SYSCTLS.get(name)
        if namespace is None:
            return Refusal(SYSCTL_FORBIDDEN, f'forbidden sysctl: "{name}" not allowlisted')
        if (namespace == "network" and pod.spec.host_network) or (namespace == "IPC" and pod.spec.host_ipc):
            return Refusal(SYSCTL_FORBIDDEN, f'forbidden sysctl: "{name}" not allowed with host {namespace} enabled')
    return None


def canonical_sysctl(name: str) -> str:
    """With dots between the parts; where the first separator is a slash, slashes and dots have changed places."""
    first = next((char for char in name if char in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))
