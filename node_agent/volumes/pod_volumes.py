"""The volumes of a Pod on disk: pods/UID/volumes/kubernetes.io~KIND/NAME. Set up before the containers, refreshed while they run."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kube.api.core_v1 import Pod, Volume
from kube.apimachinery import errors
from kube.apimachinery.quantity import Quantity
from node_agent.runtime.syscalls import mount, unmount_below
from node_agent.volumes.atomic_writer import write_payload
from node_agent.volumes.host_paths import HostPathError, prepare_host_path
from node_agent.volumes.payloads import VolumeError, VolumeSources, volume_payload

_FILE_KINDS = {"config_map": "configmap", "secret": "secret", "downward_api": "downward-api", "projected": "projected"}
SUB_PATHS = "volume-subpaths"        # below pods/UID, as upstream
_IN_MEMORY = ("secret", "projected", "downward-api")     # never written to a disk


class VolumeSetupError(Exception):
    """`str()` is the message of the FailedMount event."""


class PodVolumes:
    def __init__(self, pods_dir: Path, sources: VolumeSources) -> None:
        self._pods_dir = pods_dir
        self._sources = sources

    async def set_up(self, pod: Pod) -> Mapping[str, str]:
        """Makes every volume, or finds it made; returns their paths by name. Raises VolumeSetupError for the first that fails."""
        results = await asyncio.gather(*(self._set_up_one(pod, volume) for volume in pod.spec.volumes), return_exceptions=True)
        paths: dict[str, str] = {}
        for volume, result in zip(pod.spec.volumes, results, strict=True):
            if isinstance(result, (VolumeError, HostPathError, errors.ApiError, OSError, ValueError)):
                raise VolumeSetupError(f'MountVolume.SetUp failed for volume "{volume.name}" : {result}') from result
            if isinstance(result, BaseException):
                raise result
            paths[volume.name] = result
        return paths

    async def refresh(self, pod: Pod) -> None:
        """Brings volumes made of API objects up to date. Raises VolumeSetupError."""
        for volume in pod.spec.volumes:
            if _file_kind(volume):
                try:
                    await self._set_up_one(pod, volume)
                except (VolumeError, errors.ApiError, OSError, ValueError) as error:
                    raise VolumeSetupError(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error

    def tear_down(self, pod_uid: str) -> None:
        """Unmounts and deletes all of the Pod's volumes. hostPath is left as it is. Raises OSError when a mount cannot be taken away."""
        directory = self._pods_dir / pod_uid
        if not directory.exists():
            return
        unmount_below(str(directory))       # all of them, subPaths and what containers mounted too: else what lies there would be deleted
        for folder in ("volumes", SUB_PATHS):
            shutil.rmtree(directory / folder, ignore_errors=True)

    async def _set_up_one(self, pod: Pod, volume: Volume) -> str:
        if volume.host_path is not None:
            prepare_host_path(volume.host_path.path, volume.host_path.type)
            return volume.host_path.path
        gid = _fs_group(pod)
        if volume.empty_dir is not None:
            path = self._path(pod, "empty-dir", volume)
            size_limit = volume.empty_dir.size_limit
            _make_empty_dir(path, gid, in_memory=volume.empty_dir.medium == "Memory", size_limit=size_limit)
            return str(path)
        kind = _file_kind(volume)
        if not kind:
            raise VolumeError(f"no volume plugin matched: volume {volume.name!r} is of a type that this cluster does not have yet")
        payload = await volume_payload(pod, volume, self._sources)
        path = self._path(pod, kind, volume)
        if kind in _IN_MEMORY and not os.path.ismount(path):
            path.mkdir(parents=True, exist_ok=True)
            mount("tmpfs", str(path), "tmpfs", 0, "mode=0755")
        write_payload(path, payload, gid=gid)
        return str(path)

    def _path(self, pod: Pod, kind: str, volume: Volume) -> Path:
        return self._pods_dir / pod.metadata.uid / "volumes" / f"kubernetes.io~{kind}" / volume.name


def is_read_only(volume: Volume) -> bool:
    """Volumes made of API objects are mounted read-only whatever the mount says."""
    return bool(_file_kind(volume))


def has_refreshable(pod: Pod) -> bool:
    return any(_file_kind(volume) for volume in pod.spec.volumes)


def _file_kind(volume: Volume) -> str:
    return next((kind for attribute, kind in _FILE_KINDS.items() if getattr(volume, attribute) is not None), "")


def _make_empty_dir(path: Path, gid: int | None, *, in_memory: bool, size_limit: str) -> None:
    if path.exists() and (not in_memory or os.path.ismount(path)):
        return
    path.mkdir(parents=True, exist_ok=True)
    if in_memory:
        limit = Quantity.parse(size_limit).value() if size_limit else 0
        mount("tmpfs", str(path), "tmpfs", 0, f"mode=0777,size={limit}" if limit else "mode=0777")
    path.chmod(0o2777 if gid is not None else 0o777)
    if gid is not None:
        os.chown(path, -1, gid)


def _fs_group(pod: Pod) -> int | None:
    return pod.spec.security_context.fs_group if pod.spec.security_context else None
