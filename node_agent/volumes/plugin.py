"""What a kind of volume is to the kubelet: a plugin. pod_volumes.py asks each for a Pod's volumes; registry.py lists them.

    set_up     before the containers, and again after a restart of the kubelet: finds what stands, makes what is missing
    refresh    while the Pod runs, only if `refreshes`: brings the contents up to date
    tear_down  after the containers: takes away what set_up made outside of the directory, and what is mounted on it

A volume's directory is pods/UID/volumes/kubernetes.io~KIND/NAME, as upstream. By KIND its plugin is found again when all that is known of
a Pod is its directory: the kubelet was killed, the Pod is gone. What a plugin has to know then it keeps there (or beside), in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kube.api.core_v1 import Container, EphemeralContainer, Pod, Volume

PREFIX = "kubernetes.io~"


class VolumeError(Exception):
    """A volume that cannot be made now; the message is upstream's, what follows `MountVolume.SetUp failed for volume "x" : `."""


class VolumeStepError(VolumeError):
    """Names what failed as upstream does: "MountVolume.MountDevice", and the volume, a claim's by its PersistentVolume."""

    def __init__(self, step: str, name: str, why: str) -> None:
        super().__init__(f'{step} failed for volume "{name}" : {why}')


class VolumeUnknownError(VolumeError):
    """What the volume is cannot be told yet: its claim is not bound, no plugin is for it."""


@dataclass(frozen=True, slots=True)
class MountedVolume:
    """What is bound into the containers."""

    path: str
    read_only: bool = False          # for each mount, whatever it says


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeTask:
    """One volume of one Pod."""

    pod: Pod
    volume: Volume
    pod_dir: Path                    # pods/UID

    def directory(self, kind: str, name: str = "") -> Path:
        """Where it lies; the plugin makes it. `name` if it is not the volume's (a claim's is the PersistentVolume's)."""
        return self.pod_dir / "volumes" / f"{PREFIX}{kind}" / (name or self.volume.name)

    @property
    def fs_group(self) -> int | None:
        """Whose the files shall be; ownership.py does it."""
        security = self.pod.spec.security_context
        return security.fs_group if security is not None else None

    @property
    def fs_group_policy(self) -> str:
        """Always (also "") or OnRootMismatch."""
        security = self.pod.spec.security_context
        return security.fs_group_change_policy if security is not None else ""


def every_container(pod: Pod) -> Iterator[Container | EphemeralContainer]:
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from pod.spec.ephemeral_containers


def used_volumes(pod: Pod) -> set[str]:
    """Names of the volumes that containers mount. The others are not made, and may be of what is not there."""
    mounted = {mount.name for container in every_container(pod) for mount in container.volume_mounts}
    return mounted | {device.name for container in every_container(pod) for device in container.volume_devices}


class VolumePlugin(Protocol):
    """Raises VolumeError, HostPathError, ApiError, OSError or ValueError: a FailedMount event says so and it is tried again."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the folders below pods/UID/volumes that it makes, without the prefix: ("configmap",)."""

    @property
    def refreshes(self) -> bool: ...

    def supports(self, volume: Volume) -> bool: ...

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        """Idempotent."""

    async def refresh(self, task: VolumeTask) -> None: ...

    async def tear_down(self, directory: Path) -> None:
        """Of a directory of one of its kinds. Idempotent. There may be mounts below: the caller unmounts the rest and deletes."""
