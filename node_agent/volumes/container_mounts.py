"""The mounts of one container, from its volumeMounts and the volumes of its Pod. Follows makeMounts of pkg/kubelet/kubelet_pods.go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kube.api.core_v1 import Container, VolumeMount
from node_agent.runtime.model import Device, Mount
from node_agent.runtime.mounts import MountTable
from node_agent.volumes.plugin import MountedVolume
from node_agent.volumes.pod_volumes import SUB_PATHS
from node_agent.volumes.sub_paths import SubPathError, bind_sub_path

_PROPAGATION = {"": "rprivate", "None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


class ContainerMountError(Exception):
    """The container cannot have what it asks for; the message is upstream's."""


def volume_mounts(
    container: Container, volumes: Mapping[str, MountedVolume], pod_dir: Path, expand: Callable[[str], str],
) -> list[Mount]:
    """Outer ones first. `expand` replaces $(NAME), for subPathExpr. Raises ContainerMountError, and what `expand` does."""
    mounts = []
    for index, mount in sorted(enumerate(container.volume_mounts), key=lambda item: item[1].mount_path.rstrip("/").count("/")):
        volume = volumes.get(mount.name)
        if volume is None:
            raise ContainerMountError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
        sub_path = _sub_path(mount, expand)
        source = volume.path
        if sub_path:
            place = pod_dir / SUB_PATHS / mount.name / container.name / str(index)
            source = _bound(volume.path, sub_path, place, f'volumeMount "{mount.name}" of container "{container.name}"')
        propagation = _PROPAGATION.get(mount.mount_propagation, "rprivate")
        _check_propagation(source, propagation)
        mounts.append(Mount(
            source=source, target="/" + mount.mount_path.lstrip("/"), read_only=bool(mount.read_only) or volume.read_only,
            propagation=propagation, recursive_read_only=_recursive(mount),
        ))
    return mounts


def _sub_path(mount: VolumeMount, expand: Callable[[str], str]) -> str:
    sub_path = expand(mount.sub_path_expr) if mount.sub_path_expr else mount.sub_path
    if sub_path.startswith("/"):
        raise ContainerMountError(f"error SubPath `{sub_path}` must not be an absolute path")
    if ".." in sub_path.split("/"):
        raise ContainerMountError(f"unable to provision SubPath `{sub_path}`: must not contain '..'")
    return sub_path


def _bound(volume: str, sub_path: str, place: Path, what: str) -> str:
    # Why is not told: it would say what lies on the node.
    try:
        return bind_sub_path(volume, sub_path, place)
    except (SubPathError, OSError) as error:
        raise ContainerMountError(f"failed to prepare subPath for {what}") from error


def _check_propagation(source: str, propagation: str) -> None:
    """As containerd: the kernel would take it, and nothing would ever come through."""
    if propagation == "rprivate":
        return
    point = MountTable.read().holding(source)
    if propagation == "rshared" and not point.shared:
        raise ContainerMountError(f'path "{source}" is mounted on "{point.path}" but it is not a shared mount')
    if not point.shared and not point.slave:
        raise ContainerMountError(f'path "{source}" is mounted on "{point.path}" but it is not a shared or slave mount')


def _recursive(mount: VolumeMount) -> bool:
    """KEP-3857. runc can, and every kernel that this runs on."""
    if mount.recursive_read_only in ("", "Disabled"):
        return False
    asked = f'volume "{mount.name}" requested recursive read-only mode, but it is not'
    if not mount.read_only:
        raise ContainerMountError(f"failed to resolve recursive read-only mode: {asked} read-only")
    if mount.mount_propagation not in ("", "None"):
        raise ContainerMountError(
            f'failed to resolve recursive read-only mode: {asked} compatible with propagation "{mount.mount_propagation}"')
    return True


def volume_devices(container: Container, volumes: Mapping[str, MountedVolume]) -> tuple[Device, ...]:
    """Volumes of mode Block, under the paths that the container wants them at."""
    return tuple(Device(volumes[one.name].path, one.device_path) for one in container.volume_devices if one.name in volumes)
