"""Which sysctls a Pod may set, pure. Follows pkg/kubelet/sysctl: what stays within the Pod, and what the node's owner allows beside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kube.api.core_v1 import Pod

# Kept apart by the kernel per namespace, and without influence on other Pods of the node: name -> namespace.
SAFE_SYSCTLS: Final = {
    "kernel.shm_rmid_forced": "IPC",
    **dict.fromkeys((
        "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_slow_start_after_idle",
        "net.ipv4.tcp_notsent_lowat",
    ), "Net"),
}
# What the kernel keeps apart at all; only of these can more be allowed (kubelet's allowedUnsafeSysctls).
_NAMESPACES: Final = (
    ("kernel.shm", "IPC"), ("kernel.msg", "IPC"), ("kernel.sem", "IPC"), ("fs.mqueue.", "IPC"), ("net.", "Net"),
)


def sysctl_namespace(name: str) -> str:
    """"": the machine's own."""
    return next((namespace for prefix, namespace in _NAMESPACES if name.startswith(prefix)), "")


def forbidden_sysctl(pod: Pod, allowed: Iterable[str] = ()) -> str:
    """Why the Pod's sysctls are refused, "" if they are not. `allowed`: unsafe ones, by name or by "net.core.*"."""
    context = pod.spec.security_context
    for sysctl in context.sysctls if context is not None else ():
        name = canonical_sysctl(sysctl.name)
        namespace = SAFE_SYSCTLS.get(name) or (sysctl_namespace(name) if _is_allowed(name, allowed) else "")
        if not namespace:
            return f'forbidden sysctl: "{name}" not allowlisted'
        if (namespace == "Net" and pod.spec.host_network) or (namespace == "IPC" and pod.spec.host_ipc):
            return f'forbidden sysctl: "{name}" not allowed with host {namespace} enabled'
    return ""


def _is_allowed(name: str, allowed: Iterable[str]) -> bool:
    patterns = map(canonical_sysctl, allowed)
    return any(name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns)


def canonical_sysctl(name: str) -> str:
    """With dots between the parts; where the first separator is a slash, slashes and dots have changed places."""
    first = next((char for char in name if char in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))
