"""The volumes of a Pod: set up before the containers, refreshed while they run, taken down after them. How is each plugin's matter."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from kube.api.core_v1 import Pod, Volume
from kube.apimachinery import errors
from kube.apimachinery.go_text import go_error
from node_agent.runtime.mounts import unmount_below
from node_agent.volumes.plugin import (
    PREFIX,
    MountedVolume,
    VolumeError,
    VolumePlugin,
    VolumeStepError,
    VolumeTask,
    VolumeUnknownError,
    used_volumes,
)

SUB_PATHS = "volume-subpaths"        # below pods/UID, as upstream
_EXPECTED = (VolumeError, errors.ApiError, OSError, ValueError)


class VolumeSetupError(Exception):
    """Some volumes of a Pod could not be made. `messages`: one for the FailedMount event of each."""

    def __init__(self, messages: Sequence[str], volumes: Sequence[str] = ()) -> None:
        super().__init__("; ".join(messages))
        self.messages = tuple(messages)
        self.volumes = tuple(volumes)

    def summary(self) -> str:
        """Of a wait that has been long."""
        return waiting_text(self.volumes, (), "context deadline exceeded")


class PodVolumes:
    def __init__(self, pods_dir: Path, plugins: Sequence[VolumePlugin]) -> None:
        self._pods_dir = pods_dir
        self._plugins = tuple(plugins)

    async def set_up(self, pod: Pod) -> Mapping[str, MountedVolume]:
        """Makes every volume that containers use, or finds it made; returns them by name. Raises VolumeSetupError."""
        used = used_volumes(pod)
        volumes = [volume for volume in pod.spec.volumes if volume.name in used]
        results = await asyncio.gather(*(self._set_up_one(pod, volume) for volume in volumes), return_exceptions=True)
        mounted: dict[str, MountedVolume] = {}
        failed: dict[str, str] = {}
        for volume, result in zip(volumes, results, strict=True):
            if isinstance(result, _EXPECTED):
                failed[volume.name] = _complaint(volume, result)
            elif isinstance(result, BaseException):
                raise result
            else:
                mounted[volume.name] = result
        if failed:
            raise VolumeSetupError([*failed.values()], [*failed])
        return mounted

    async def refresh(self, pod: Pod) -> None:
        """Brings volumes made of API objects up to date. Raises VolumeSetupError; what can be brought up to date is."""
        failed: dict[str, str] = {}
        used = used_volumes(pod)
        for volume in pod.spec.volumes:
            plugin = self._plugin_of(volume) if volume.name in used else None
            if plugin is not None and plugin.refreshes:
                try:
                    await plugin.refresh(self._task(pod, volume))
                except _EXPECTED as error:
                    failed[volume.name] = _complaint(volume, error)
        if failed:
            raise VolumeSetupError([*failed.values()], [*failed])

    def has_refreshable(self, pod: Pod) -> bool:
        return any(plugin.refreshes for volume in pod.spec.volumes if (plugin := self._plugin_of(volume)) is not None)

    async def tear_down(self, pod_uid: str) -> None:
        """Unmounts and deletes all of the Pod's volumes. hostPath is left as it is.

        Raises OSError when a mount cannot be taken away, and what the plugins raise: nothing has been deleted then.
        """
        directory = self._pods_dir / pod_uid
        if not directory.exists():
            return
        await asyncio.to_thread(unmount_below, str(directory / SUB_PATHS))
        for place, plugin in self._made(directory):
            await plugin.tear_down(place)
        await asyncio.to_thread(_remove, directory)

    def _made(self, directory: Path) -> list[tuple[Path, VolumePlugin]]:
        """What of the Pod lies here, by the names of its folders."""
        by_folder = {PREFIX + kind: plugin for plugin in self._plugins for kind in plugin.kinds}
        return [
            (place, by_folder[folder.name])
            for folder in _entries(directory / "volumes") if folder.name in by_folder for place in _entries(folder)
        ]

    async def _set_up_one(self, pod: Pod, volume: Volume) -> MountedVolume:
        plugin = self._plugin_of(volume)
        if plugin is None:
            raise VolumeUnknownError(f'failed to get Plugin from volumeSpec for volume "{volume.name}" err=no volume plugin matched')
        return await plugin.set_up(self._task(pod, volume))

    def _plugin_of(self, volume: Volume) -> VolumePlugin | None:
        return next((plugin for plugin in self._plugins if plugin.supports(volume)), None)

    def _task(self, pod: Pod, volume: Volume) -> VolumeTask:
        return VolumeTask(pod=pod, volume=volume, pod_dir=self._pods_dir / pod.metadata.uid)


def waiting_text(unmounted: Sequence[str], unknown: Sequence[str], why: str) -> str:
    names = f"unmounted volumes=[{' '.join(unmounted)}], unattached volumes=[], failed to process volumes=[{' '.join(unknown)}]"
    return f"Unable to attach or mount volumes: {names}: {why}"


def _complaint(volume: Volume, error: BaseException) -> str:
    if isinstance(error, VolumeUnknownError):
        return waiting_text((volume.name,), (volume.name,), str(error))
    if isinstance(error, VolumeStepError):
        return str(error)
    return f'MountVolume.SetUp failed for volume "{volume.name}" : {go_error(error)}'


def _remove(directory: Path) -> None:
    unmount_below(str(directory))       # all of them, also what containers mounted: else what lies there would be deleted
    for folder in ("volumes", SUB_PATHS):
        shutil.rmtree(directory / folder, ignore_errors=True)


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []
