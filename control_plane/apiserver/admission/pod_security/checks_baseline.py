"""Checks of the baseline standard, in upstream's words. (Those about profiles: checks_profiles.py.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

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

_DEFAULT_CAPABILITIES: Final = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
})
_SYSCTLS: Final = frozenset({
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
})
_SYSCTLS_27: Final = _SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_29: Final = _SYSCTLS_27 | {
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
}
_SYSCTLS_32: Final = _SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
_SYSCTLS_37: Final = _SYSCTLS_32 | {"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"}


def capabilities(pod: PodView) -> Violation | None:
    def wrong(container: JsonObject) -> list[str]:
        return [name for name in capabilities_of(container, "add") if name not in _DEFAULT_CAPABILITIES]

    bad = pod.names(lambda container: bool(wrong(container)))
    if not bad:
        return None
    names = sorted({name for container in pod.containers for name in wrong(container)})
    return Violation(
        "non-default capabilities", f"{containers_quoted(bad)} must not include {quoted(names)} in securityContext.capabilities.add"
    )


def host_namespaces(pod: PodView) -> Violation | None:
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(field)]
    return Violation("host namespaces", ", ".join(used)) if used else None


def host_path_volumes(pod: PodView) -> Violation | None:
    bad = [volume.get("name") or "" for volume in pod.spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Violation("hostPath volumes", f"{counted('volume', bad)} {quoted(bad)}") if bad else None


def host_ports(pod: PodView) -> Violation | None:
    def used(container: JsonObject) -> list[str]:
        return [str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")]

    bad = pod.names(lambda container: bool(used(container)))
    if not bad:
        return None
    ports = sorted({port for container in pod.containers for port in used(container)})
    uses = "uses" if len(bad) == 1 else "use"
    return Violation("hostPort", f"{containers_quoted(bad)} {uses} {counted('hostPort', ports)} {', '.join(ports)}")


def probe_hosts(pod: PodView) -> Violation | None:
    """Since v1.34: probes and hooks that go elsewhere than to the Pod."""
    bad = sorted(set(pod.names(lambda container: any(_hosts(container)))))
    if not bad:
        return None
    hosts = sorted({host for container in pod.containers for host in _hosts(container)})
    uses, words = "uses" if len(bad) == 1 else "use", counted("probe or lifecycle host", hosts)
    return Violation("probe or lifecycle host", f"{containers_quoted(bad)} {uses} {words} {quoted(hosts)}")


def _hosts(container: JsonObject) -> Iterator[str]:
    lifecycle = container.get("lifecycle") or {}
    handlers = [container.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
    for handler in (*handlers, lifecycle.get("postStart"), lifecycle.get("preStop")):
        for kind in ("httpGet", "tcpSocket"):
            if host := ((handler or {}).get(kind) or {}).get("host"):
                yield host


def privileged(pod: PodView) -> Violation | None:
    bad = pod.names(lambda container: security_of(container).get("privileged") is True)
    return Violation("privileged", f"{containers_quoted(bad)} must not set securityContext.privileged=true") if bad else None


def proc_mount(pod: PodView) -> Violation | None:
    def other(container: JsonObject) -> str:
        mount = security_of(container).get("procMount")
        return "" if mount in (None, "Default") else str(mount)

    bad = pod.names(lambda container: bool(other(container)))
    if not bad:
        return None
    kinds = sorted({kind for container in pod.containers if (kind := other(container))})
    return Violation("procMount", f"{containers_quoted(bad)} must not set securityContext.procMount to {quoted(kinds)}")


def proc_mount_35(pod: PodView) -> Violation | None:
    return None if pod.has_own_users else proc_mount(pod)


def _sysctls(allowed: frozenset[str]) -> Check:
    def check(pod: PodView) -> Violation | None:
        names = [sysctl.get("name") or "" for sysctl in pod.security.get("sysctls") or ()]
        bad = [name for name in names if name not in allowed]
        return Violation("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


sysctls: Final[tuple[tuple[int, Check], ...]] = tuple(
    (minor, _sysctls(allowed))
    for minor, allowed in ((0, _SYSCTLS), (27, _SYSCTLS_27), (29, _SYSCTLS_29), (32, _SYSCTLS_32), (37, _SYSCTLS_37))
)


def windows_host_process(pod: PodView) -> Violation | None:
    is_set: Callable[[JsonObject], bool] = lambda security: (security.get("windowsOptions") or {}).get("hostProcess") is True  # noqa: E731
    who = setters(is_set(pod.security), pod.names(lambda container: is_set(security_of(container))))
    return Violation("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true") if who else None


def capabilities_of(container: JsonObject, key: str) -> list[str]:
    return list((security_of(container).get("capabilities") or {}).get(key) or ())
