"""The OCI runtime configuration of one container (config.json), pure: a function of what is wanted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from node_agent.runtime.devices import add_devices
from node_agent.runtime.idmaps import RANGE
from node_agent.runtime.model import ContainerConfig, Image, Mount, Resources, Sandbox, Security
from node_agent.runtime.safe_paths import read_in_root

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What containerd and Docker grant by default.
DEFAULT_CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
)
# By number, as the kernel counts them.
ALL_CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
    "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
    "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)
MASKED_PATHS = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

DEVICE_RULES: tuple[dict[str, Any], ...] = (
    {"allow": False, "access": "rwm"},
    *({"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
      for major, minor in ((1, 3), (1, 8), (1, 7), (5, 0), (1, 5), (1, 9), (5, 1), (5, 2))),
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
)
EVERY_DEVICE: Sequence[dict[str, Any]] = ({"allow": True, "access": "rwm"},)


def granted_capabilities(bounding_set: int) -> frozenset[str]:
    """Names of the capabilities in a mask such as CapBnd of /proc/self/status: more than these cannot be given."""
    return frozenset(name for number, name in enumerate(ALL_CAPABILITIES) if bounding_set >> number & 1)


def oci_spec(
    config: ContainerConfig, image: Image, sandbox: Sandbox, *, rootfs: str, own_oom_score_adj: int, bounding: frozenset[str],
    unified_cgroups: bool = False, all_devices: Sequence[dict[str, Any]] = EVERY_DEVICE, target_pid: int = 0,
) -> dict[str, Any]:
    """`all_devices`: what a privileged container may use. `target_pid`: a process whose PID namespace is joined.

    Raises ValueError where image and Pod together name no command, or a user that the image does not know.
    """
    security = config.security
    spec: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": _process(config, image, sandbox, rootfs, bounding),
        "root": {"path": rootfs, "readonly": security.read_only_root},
        "mounts": [*_system_mounts(sandbox, security), *(_bind(mount) for mount in config.mounts)],
        "linux": {
            "namespaces": _namespaces(sandbox, own_cgroup_view=unified_cgroups and not security.privileged, target_pid=target_pid),
            "cgroupsPath": config.cgroup,
            "resources": _resources(config.resources, all_devices if security.privileged else DEVICE_RULES, unified=unified_cgroups),
        },
        "annotations": {"io.kubernetes.pod.uid": config.pod_uid, "io.kubernetes.container.name": config.name},
    }
    add_devices(spec, config.devices)
    # A score below the own one would need CAP_SYS_RESOURCE, which not every machine grants.
    spec["process"]["oomScoreAdj"] = max(config.oom_score_adj, own_oom_score_adj)
    if not security.privileged and not security.proc_unmasked:
        spec["linux"]["maskedPaths"] = list(MASKED_PATHS)
        spec["linux"]["readonlyPaths"] = list(READONLY_PATHS)
    if sandbox.user:
        ids = [{"containerID": 0, "hostID": sandbox.first_id, "size": RANGE}]
        spec["linux"]["uidMappings"] = spec["linux"]["gidMappings"] = ids
    if security.seccomp_profile:
        spec["linux"]["seccomp"] = json.loads(security.seccomp_profile)
    elif security.seccomp_default:
        from node_agent.runtime.seccomp import default_profile  # a table that few containers need

        spec["linux"]["seccomp"] = default_profile(spec["process"]["capabilities"]["bounding"])
    if any(mount.propagation == "rshared" for mount in config.mounts):
        spec["linux"]["rootfsPropagation"] = "rshared"
    return spec


def command_line(config: ContainerConfig, image: Image) -> list[str]:
    """Kubernetes' rule: `command` replaces entrypoint and cmd, `args` alone replaces cmd."""
    if config.command:
        return [*config.command, *config.args]
    return [*image.config.entrypoint, *(config.args or image.config.cmd)]


def _process(config: ContainerConfig, image: Image, sandbox: Sandbox, rootfs: str, bounding: frozenset[str]) -> dict[str, Any]:
    args = command_line(config, image)
    if not args:
        raise ValueError("no command specified")
    env = dict(entry.partition("=")[::2] for entry in image.config.env)
    env.setdefault("PATH", DEFAULT_PATH)
    env["HOSTNAME"] = sandbox.config.hostname
    if config.tty:
        env.setdefault("TERM", "xterm")
    env.update(config.env)
    uid, gid, home, groups = resolve_user(config.security, image.config.user, Path(rootfs))
    env.setdefault("HOME", home)
    capabilities = _capabilities(config.security, bounding)
    effective = capabilities if uid == 0 else []
    return {
        "terminal": config.tty,
        "user": {"uid": uid, "gid": gid, "additionalGids": sorted({gid, *groups, *config.security.supplemental_gids})},
        "args": args,
        "env": [f"{name}={value}" for name, value in env.items()],
        "cwd": config.working_dir or image.config.working_dir or "/",
        "capabilities": {"bounding": capabilities, "effective": effective, "permitted": effective},
        "noNewPrivileges": config.security.no_new_privileges,
    }


def _capabilities(security: Security, bounding: frozenset[str]) -> list[str]:
    if security.privileged:
        return sorted(bounding)
    add = {_capability(name) for name in security.add_capabilities}
    drop = {_capability(name) for name in security.drop_capabilities}
    granted = set(ALL_CAPABILITIES) if "CAP_ALL" in add else set(DEFAULT_CAPABILITIES)
    if "CAP_ALL" in drop:
        granted.clear()
    return sorted(((granted - drop) | (add - {"CAP_ALL"})) & bounding)


def _capability(name: str) -> str:
    name = name.upper()
    return name if name.startswith("CAP_") else "CAP_" + name


class User(NamedTuple):
    uid: int
    gid: int
    home: str
    groups: tuple[int, ...] = ()                # of the image's /etc/group; none with supplementalGroupsPolicy Strict


def resolve_user(security: Security, image_user: str, rootfs: Path) -> User:
    """Names are looked up in the image's own /etc/passwd and /etc/group."""
    accounts = [line.split(":") for line in _lines(rootfs, "etc/passwd") if line.count(":") >= 6]
    user, _, group = image_user.partition(":")
    if security.uid is not None:
        uid: int | None = security.uid
    elif not user or user.isdigit():
        uid = int(user or 0)
    else:
        uid = next((int(fields[2]) for fields in accounts if fields[0] == user), None)
    if uid is None:
        raise ValueError(f"unable to find user {user}: no matching entries in passwd file")
    account = next((fields for fields in accounts if fields[2] == str(uid)), None)
    gid, groups = security.gid, [line.split(":") for line in _lines(rootfs, "etc/group") if line.count(":") >= 3]
    if gid is None and group and security.uid is None:
        gid = int(group) if group.isdigit() else next((int(fields[2]) for fields in groups if fields[0] == group), None)
    if gid is None:
        gid = int(account[3]) if account else 0
    member_of = [
        int(fields[2]) for fields in groups if account and account[0] in fields[3].strip().split(",") and fields[2].isdigit()
    ]
    return User(uid, gid, account[5] if account else "/", tuple(member_of) if security.image_groups else ())


def _lines(rootfs: Path, name: str) -> list[str]:
    try:
        return read_in_root(rootfs, name).splitlines()
    except OSError:
        return []


def _namespaces(sandbox: Sandbox, *, own_cgroup_view: bool, target_pid: int) -> list[dict[str, str]]:
    namespaces: list[dict[str, str]] = [{"type": "mount"}]
    if own_cgroup_view:         # of version 2 it would see all of the machine; of version 1 runc mounts its own part only
        namespaces.append({"type": "cgroup"})
    if sandbox.pid_holder:
        namespaces.append({"type": "pid", "path": f"/proc/{sandbox.pid_holder}/ns/pid"})
    elif target_pid and not sandbox.config.host_pid:
        namespaces.append({"type": "pid", "path": f"/proc/{target_pid}/ns/pid"})
    elif not sandbox.config.host_pid:
        namespaces.append({"type": "pid"})
    namespaces += [
        {"type": kind, "path": path}
        for kind, path in (("user", sandbox.user), ("network", sandbox.net), ("ipc", sandbox.ipc), ("uts", sandbox.uts)) if path
    ]
    return namespaces


def _system_mounts(sandbox: Sandbox, security: Security) -> list[dict[str, Any]]:
    sys_mode = "rw" if security.privileged else "ro"
    return [
        _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", sys_mode),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", sys_mode),
        _mount("/dev/shm", "bind", sandbox.shm or "/dev/shm", "rbind", "rprivate", "rw"),  # noqa: S108 - a path in the container
    ]


def _mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def _bind(mount: Mount) -> dict[str, Any]:
    mode = "rro" if mount.recursive_read_only else "ro" if mount.read_only else "rw"
    return _mount(mount.target, "bind", mount.source, "rbind", mount.propagation, mode)


def _resources(resources: Resources, devices: Sequence[dict[str, Any]], *, unified: bool) -> dict[str, Any]:
    cpu = {
        "shares": resources.cpu_shares,
        "quota": resources.cpu_quota_us,
        "period": resources.cpu_period_us if resources.cpu_quota_us is not None else None,
    }
    result: dict[str, Any] = {
        "devices": list(devices),
        "cpu": {name: value for name, value in cpu.items() if value is not None},
    }
    if resources.memory_limit is not None:
        result["memory"] = {"limit": resources.memory_limit}
    if resources.pids_limit is not None:
        result["pids"] = {"limit": resources.pids_limit}
    if resources.huge_pages:
        result["hugepageLimits"] = [{"pageSize": size, "limit": limit} for size, limit in resources.huge_pages.items()]
    if unified and resources.oom_group:
        result["unified"] = {"memory.oom.group": "1"}
    return result
