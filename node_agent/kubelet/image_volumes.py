"""Volumes that are images (KEP-4639): pulled like a container's image, mounted read-only below the Pod's directory.

pods/UID/volumes/kubernetes.io~image/NAME/ID64 is the mount of the image with that id. A container that starts later, with pull policy
Always, may get a newer one beside it. The names of these folders tell the garbage collector what is in use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kube.api.core_v1 import Container, Pod, Volume
from node_agent.kubelet.event_names import CREATE_ERROR
from node_agent.kubelet.image_manager import ImageManager, ImageUnavailableError
from node_agent.kubelet.pod_status import Waiting
from node_agent.kubelet.seams import PodRuntime
from node_agent.runtime.model import RuntimeServiceError
from node_agent.volumes.plugin import PREFIX, MountedVolume, VolumeTask

KIND = "image"


class ImageVolumePlugin:
    """Makes nothing: that is for each container's start to do, as with upstream's plugin of this name."""

    kinds = (KIND,)
    refreshes = False

    def supports(self, volume: Volume) -> bool:
        return volume.image is not None

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        directory = task.directory(KIND)
        directory.mkdir(parents=True, exist_ok=True)
        return MountedVolume(str(directory), read_only=True)

    async def refresh(self, task: VolumeTask) -> None:
        """What is mounted stays as it is."""

    async def tear_down(self, directory: Path) -> None:
        """The caller unmounts what is below."""


async def image_volumes(
    pod: Pod, container: Container, images: ImageManager, runtime: PodRuntime, pod_dir: Path,
) -> dict[str, MountedVolume]:
    """Of those that the container mounts, by name. Raises ImageUnavailableError, also for one that cannot be mounted."""
    wanted = {mount.name for mount in container.volume_mounts}
    mounted = {}
    for volume in pod.spec.volumes:
        if volume.image is None or volume.name not in wanted:
            continue
        image = await images.ensure_volume(pod, container, volume)
        directory = VolumeTask(pod=pod, volume=volume, pod_dir=pod_dir).directory(KIND)
        place = directory / image.id.removeprefix("sha256:")
        try:
            await runtime.mount_image(image, place)
            _check_sub_paths(container, volume, place)
        except RuntimeServiceError as error:
            raise ImageUnavailableError(Waiting(CREATE_ERROR, str(error)), volume.image.reference) from error
        mounted[volume.name] = MountedVolume(str(place), read_only=True)
    return mounted


def _check_sub_paths(container: Container, volume: Volume, place: Path) -> None:
    """A part of an image is there or it is not: nothing can be made in it. Raises RuntimeServiceError."""
    for mount in container.volume_mounts:
        if mount.name == volume.name and mount.sub_path and not os.path.lexists(place / mount.sub_path):
            assert volume.image is not None
            raise RuntimeServiceError(
                f'ImageVolumeMountFailed: failed to mount image volume "{volume.image.reference}": there is no "{mount.sub_path}" in it')


def mounted_images(root_dir: Path) -> Iterator[str]:
    """Ids of the images that are volumes of Pods here."""
    for place in (root_dir / "pods").glob(f"*/volumes/{PREFIX}{KIND}/*/*"):
        yield f"sha256:{place.name}"
