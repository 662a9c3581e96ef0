"""The mounts of one container, from its volumeMounts and the volumes of its Pod."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kube.api.core_v1 import Container, VolumeMount
from node_agent.runtime.model import Mount
from node_agent.volumes.plugin import MountedVolume
from node_agent.volumes.pod_volumes import SUB_PATHS
from node_agent.volumes.sub_paths import SubPathError, bind_sub_path

_PROPAGATION = {"": "rprivate", "None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


class ContainerMountError(Exception):
    """The container cannot have what it asks for; the message is upstream's."""


def volume_mounts(
    container: Container, volumes: Mapping[str, MountedVolume], pod_dir: Path, expand: Callable[[str], str],
) -> list[Mount]:
    """Outer ones first. `expand` is for subPathExpr. Raises ContainerMountError."""
    mounts = []
    for index, mount in sorted(enumerate(container.volume_mounts), key=lambda item: item[1].mount_path.count("/")):
        volume = volumes.get(mount.name)
        if volume is None:
            raise ContainerMountError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
        target = mount.mount_path if mount.mount_path.startswith("/") else "/" + mount.mount_path
        place = pod_dir / SUB_PATHS / mount.name / container.name / str(index)
        mounts.append(Mount(
            source=_source(volume.path, mount, expand, place), target=target, read_only=bool(mount.read_only) or volume.read_only,
            propagation=_PROPAGATION.get(mount.mount_propagation, "rprivate"),
        ))
    return mounts


def _source(volume: str, mount: VolumeMount, expand: Callable[[str], str], place: Path) -> str:
    sub_path = mount.sub_path or (expand(mount.sub_path_expr) if mount.sub_path_expr else "")
    if not sub_path:
        return volume
    try:
        return bind_sub_path(volume, sub_path, place)
    except (SubPathError, OSError) as error:
        raise ContainerMountError(f'failed to prepare subPath for volumeMount "{mount.name}" of container: {error}') from error
