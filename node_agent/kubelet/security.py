"""From security contexts to what the runtime is told, pure but for a look at seccomp profiles. Follows pkg/securitycontext and kuberuntime.

What a container says comes before what its Pod says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from kube.api.core_v1 import AppArmorProfile, Container, Pod, PodSecurityContext, SeccompProfile, SecurityContext
from node_agent.kubelet.environment import ContainerConfigError
from node_agent.runtime.model import Image, RuntimeServiceError, Security

STRICT: Final = "Strict"                        # supplementalGroupsPolicy: no groups out of the image


def security_of(pod: Pod, container: Container, profiles: Path, *, seccomp_default: bool = False) -> Security:
    """`profiles`: where Localhost profiles lie; `seccomp_default`: who says nothing gets the runtime's.

    Raises RuntimeServiceError for a profile that cannot be read: with upstream it is the runtime that reads it.
    """
    own, common = _contexts(pod, container)
    groups = (*common.supplemental_groups, *((common.fs_group,) if common.fs_group is not None else ()))
    capabilities = own.capabilities
    privileged = bool(own.privileged)
    unsaid = SeccompProfile(type="RuntimeDefault") if seccomp_default else None
    return Security(
        privileged=privileged, read_only_root=bool(own.read_only_root_filesystem), uid=_user(own, common),
        gid=own.run_as_group if own.run_as_group is not None else common.run_as_group,
        supplemental_gids=groups, image_groups=common.supplemental_groups_policy != STRICT,
        add_capabilities=capabilities.add if capabilities else (), drop_capabilities=capabilities.drop if capabilities else (),
        no_new_privileges=own.allow_privilege_escalation is False, proc_unmasked=own.proc_mount == "Unmasked",
        **({} if privileged else _seccomp(own.seccomp_profile or common.seccomp_profile or unsaid, profiles)),
    )


def _contexts(pod: Pod, container: Container) -> tuple[SecurityContext, PodSecurityContext]:
    return container.security_context or SecurityContext(), pod.spec.security_context or PodSecurityContext()


def _user(own: SecurityContext, common: PodSecurityContext) -> int | None:
    return own.run_as_user if own.run_as_user is not None else common.run_as_user


def _seccomp(profile: SeccompProfile | None, profiles: Path) -> dict[str, Any]:
    if profile is None or profile.type in ("", "Unconfined"):
        return {}
    if profile.type == "RuntimeDefault":
        return {"seccomp_default": True}
    path = profiles / profile.localhost_profile
    try:
        if not path.resolve().is_relative_to(profiles.resolve()):
            raise ValueError("it leads out of the folder of profiles")
        text = path.read_text()
        if not isinstance(json.loads(text), dict):
            raise ValueError("it is no JSON object")
    except OSError as error:
        why = f"open {path}: {(error.strerror or str(error)).lower()}"
        raise RuntimeServiceError(f'failed to create containerd container: cannot load seccomp profile "{path}": {why}') from error
    except ValueError as error:
        raise RuntimeServiceError(f'failed to create containerd container: decoding seccomp profile failed "{path}": {error}') from error
    return {"seccomp_profile": text}


def check_user(pod: Pod, container: Container, image: Image) -> None:
    """runAsNonRoot. Raises ContainerConfigError with upstream's words."""
    own, common = _contexts(pod, container)
    non_root = own.run_as_non_root if own.run_as_non_root is not None else common.run_as_non_root
    if not non_root:
        return
    uid = _user(own, common)
    where = f'(pod: "{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})", container: {container.name})'
    if uid == 0:
        raise ContainerConfigError(f"container's runAsUser breaks non-root policy {where}")
    user = image.config.user.partition(":")[0]
    if uid is None and not user.strip("0"):
        raise ContainerConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if uid is None and not user.isdigit():      # what its /etc/passwd says is not looked up for this
        raise ContainerConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root {where}"
        )


def forbidden_app_armor(pod: Pod) -> str:
    """Why a Pod that asks for AppArmor is refused, "" if it does not: containers here are never put under it."""
    common = pod.spec.security_context
    everyone = (*pod.spec.containers, *pod.spec.init_containers)
    profiles = [common.app_armor_profile if common else None]
    profiles += [container.security_context.app_armor_profile for container in everyone if container.security_context is not None]
    return "Cannot enforce AppArmor: AppArmor is not enabled on the host" if any(map(_is_confined, profiles)) else ""


def _is_confined(profile: AppArmorProfile | None) -> bool:
    return profile is not None and profile.type not in ("", "Unconfined")
