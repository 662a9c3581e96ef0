"""Places within a volume that other volumes of a container are mounted on. Follows pkg/volume/util/nested_volumes.

A volume of files is read-only for the runtime, which therefore cannot make them itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kube.api.core_v1 import Pod
from node_agent.volumes.plugin import every_container


def make_nested_mount_points(name: str, directory: Path, pod: Pod) -> None:
    """Directories below `directory`, where the volume `name` lies."""
    for point in set(nested_mount_points(name, pod)):
        (directory / point).mkdir(parents=True, exist_ok=True)


def nested_mount_points(name: str, pod: Pod) -> Iterator[str]:
    """Relative to the volume; of those within each other only the outermost. Raises ValueError for a path out of the container's root."""
    for container in every_container(pod):
        points = sorted(os.path.normpath(mount.mount_path) for mount in container.volume_mounts)
        for own in (os.path.normpath(mount.mount_path) for mount in container.volume_mounts if mount.name == name):
            if own.startswith("../"):
                raise ValueError(f"invalid container mount point {own}")
            found: list[str] = []
            for point in points:
                within = point != own and point.startswith(own.rstrip("/") + "/")
                if within and not any(point.startswith(outer + "/") for outer in found):
                    found.append(point)
                    yield os.path.relpath(point, own)
