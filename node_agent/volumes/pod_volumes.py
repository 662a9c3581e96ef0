"""The volumes of a Pod: set up before the containers, refreshed while they run, taken down after them. How is each plugin's matter."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from kube.api.core_v1 import Pod, Volume
from kube.apimachinery import errors
from node_agent.runtime.syscalls import unmount_below
from node_agent.volumes.plugin import PREFIX, MountedVolume, VolumeError, VolumePlugin, VolumeTask

SUB_PATHS = "volume-subpaths"        # below pods/UID, as upstream
_EXPECTED = (VolumeError, errors.ApiError, OSError, ValueError)


class VolumeSetupError(Exception):
    """`str()` is the message of the FailedMount event."""


class PodVolumes:
    def __init__(self, pods_dir: Path, plugins: Sequence[VolumePlugin]) -> None:
        self._pods_dir = pods_dir
        self._plugins = tuple(plugins)

    async def set_up(self, pod: Pod) -> Mapping[str, MountedVolume]:
        """Makes every volume, or finds it made; returns them by name. Raises VolumeSetupError for the first that fails."""
        results = await asyncio.gather(*(self._set_up_one(pod, volume) for volume in pod.spec.volumes), return_exceptions=True)
        mounted: dict[str, MountedVolume] = {}
        for volume, result in zip(pod.spec.volumes, results, strict=True):
            if isinstance(result, _EXPECTED):
                raise VolumeSetupError(_complaint(volume, result)) from result
            if isinstance(result, BaseException):
                raise result
            mounted[volume.name] = result
        return mounted

    async def refresh(self, pod: Pod) -> None:
        """Brings volumes made of API objects up to date. Raises VolumeSetupError."""
        for volume in pod.spec.volumes:
            plugin = self._plugin_of(volume)
            if plugin is not None and plugin.refreshes:
                try:
                    await plugin.refresh(self._task(pod, volume))
                except _EXPECTED as error:
                    raise VolumeSetupError(_complaint(volume, error)) from error

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
            raise VolumeError(f"no volume plugin matched: volume {volume.name!r} is of a type that this cluster does not have yet")
        return await plugin.set_up(self._task(pod, volume))

    def _plugin_of(self, volume: Volume) -> VolumePlugin | None:
        return next((plugin for plugin in self._plugins if plugin.supports(volume)), None)

    def _task(self, pod: Pod, volume: Volume) -> VolumeTask:
        return VolumeTask(pod=pod, volume=volume, pod_dir=self._pods_dir / pod.metadata.uid)


def _complaint(volume: Volume, error: BaseException) -> str:
    return f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'


def _remove(directory: Path) -> None:
    unmount_below(str(directory))       # all of them, also what containers mounted: else what lies there would be deleted
    for folder in ("volumes", SUB_PATHS):
        shutil.rmtree(directory / folder, ignore_errors=True)


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []
