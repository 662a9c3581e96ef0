"""From a Container of a Pod to what the runtime is told."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kube.api.core_v1 import Container, Pod
from node_agent.kubelet.environment import ContainerConfigError, PodFacts, expand, expand_all
from node_agent.kubelet.pod_files import hosts_file, node_hosts_file, pod_domain, pod_hostname
from node_agent.kubelet.resources import container_amounts, container_resources, oom_score_adj
from node_agent.kubelet.security import check_user, security_of
from node_agent.runtime.model import ContainerConfig, Image, Mount, Sandbox
from node_agent.volumes.container_mounts import ContainerMountError, volume_devices, volume_mounts
from node_agent.volumes.plugin import MountedVolume

DEFAULT_MESSAGE_PATH = "/dev/termination-log"


@dataclass(frozen=True, slots=True)
class PodPaths:
    """Where the files of one Pod lie on its node."""

    root_dir: Path
    pod: Pod

    @property
    def directory(self) -> Path:
        return self.root_dir / "pods" / self.pod.metadata.uid

    @property
    def logs(self) -> Path:
        metadata = self.pod.metadata
        return self.root_dir / "logs" / "pods" / f"{metadata.namespace}_{metadata.name}_{metadata.uid}"

    def container(self, name: str) -> Path:
        return self.directory / "containers" / name

    def log_file(self, container: str, attempt: int) -> Path:
        return self.logs / container / f"{attempt}.log"


def container_config(
    container: Container, facts: PodFacts, *, image: Image, sandbox: Sandbox, attempt: int, env: tuple[tuple[str, str], ...],
    volumes: Mapping[str, MountedVolume], paths: PodPaths, cluster_domain: str, node_memory: int, seccomp_default: bool = False,
) -> ContainerConfig:
    """Writes the files that only this container has (hosts, termination log). Raises ContainerConfigError."""
    pod, variables = facts.pod, dict(env)
    check_user(pod, container, image)
    message_file = _termination_file(paths.container(container.name), attempt)
    target = container.termination_message_path or DEFAULT_MESSAGE_PATH
    try:
        from_volumes = volume_mounts(container, volumes, paths.directory, lambda text: expand_all(text, variables))
    except ContainerMountError as error:
        raise ContainerConfigError(str(error)) from error
    return ContainerConfig(
        pod_uid=pod.metadata.uid, name=container.name, attempt=attempt, image=container.image,
        log_path=str(paths.log_file(container.name, attempt)), cgroup=f"{sandbox.config.cgroup}/{container.name}-{secrets.token_hex(4)}",
        command=tuple(expand(word, variables) for word in container.command),
        args=tuple(expand(word, variables) for word in container.args),
        env=env, working_dir=container.working_dir,
        mounts=(
            *from_volumes,
            *_etc_mounts(container, facts, sandbox, paths, cluster_domain),
            Mount(source=str(message_file), target=target),
        ),
        devices=volume_devices(container, volumes),
        resources=container_resources(pod, container), amounts=container_amounts(pod, container),
        security=security_of(pod, container, paths.root_dir / "seccomp", seccomp_default=seccomp_default),
        oom_score_adj=oom_score_adj(pod, container, node_memory),
        stop_signal=container.lifecycle.stop_signal if container.lifecycle else "",
        tty=bool(container.tty), stdin=bool(container.stdin), stdin_once=bool(container.stdin_once),
        labels={
            "terminationMessageFile": str(message_file), "terminationMessagePolicy": container.termination_message_policy or "File",
            "stopGraceSeconds": str(pod.spec.termination_grace_period_seconds or 30), "preStop": _pre_stop_text(container),
        },
    )


def _pre_stop_text(container: Container) -> str:
    # For a Pod that vanished from the API: its hooks are then known from here only.
    hook = container.lifecycle.pre_stop if container.lifecycle else None
    return json.dumps(list(hook.exec.command)) if hook is not None and hook.exec is not None else ""


def _termination_file(directory: Path, attempt: int) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{attempt}-{secrets.token_hex(4)}"
    path.touch()
    path.chmod(0o666)
    return path


def _etc_mounts(container: Container, facts: PodFacts, sandbox: Sandbox, paths: PodPaths, cluster_domain: str) -> list[Mount]:
    pod = facts.pod
    targets = {mount.mount_path for mount in container.volume_mounts}
    mounts = []
    directory = paths.directory
    directory.mkdir(parents=True, exist_ok=True)
    if "/etc/hosts" not in targets:
        hosts = directory / "etc-hosts"
        text = node_hosts_file(_host_hosts(), pod.spec.host_aliases) if pod.spec.host_network else hosts_file(
            facts.pod_ip, pod_hostname(pod), pod_domain(pod, cluster_domain), pod.spec.host_aliases)
        hosts.write_text(text)
        mounts.append(Mount(source=str(hosts), target="/etc/hosts"))
    if "/etc/resolv.conf" not in targets:
        resolv = directory / "resolv.conf"
        resolv.write_text(sandbox.config.resolv_conf)
        mounts.append(Mount(source=str(resolv), target="/etc/resolv.conf"))
    if "/etc/hostname" not in targets:
        hostname = directory / "hostname"
        hostname.write_text(sandbox.config.hostname + "\n")
        mounts.append(Mount(source=str(hostname), target="/etc/hostname"))
    return mounts


def _host_hosts() -> str:
    try:
        return Path("/etc/hosts").read_text()
    except OSError:
        return "127.0.0.1\tlocalhost\n"
