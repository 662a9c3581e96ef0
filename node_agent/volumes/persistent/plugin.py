"""One volume of one Pod that is, or could be, a PersistentVolume: finds out which, and hands it to its kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kube.api.core_v1 import CSIPersistentVolumeSource, PersistentVolumeSpec, Pod, SecretReference, Volume
from kube.apimachinery import errors
from kube.apimachinery.go_text import go_error
from kube.client.claims import claim_name
from node_agent.volumes.host_paths import prepare_host_path
from node_agent.volumes.persistent.claims import ClaimReader
from node_agent.volumes.persistent.mounted import MountedClaims
from node_agent.volumes.persistent.refused import refuse
from node_agent.volumes.persistent.source import SourceTask, VolumeSource
from node_agent.volumes.plugin import MountedVolume, VolumeError, VolumeStepError, VolumeTask, VolumeUnknownError

# Kinds of a Pod's own volumes that are PersistentVolumes' too: by the same name, with the fields that matter here.
INLINE = (
    "nfs", "iscsi", "fc", "aws_elastic_block_store", "gce_persistent_disk", "azure_disk", "azure_file", "cinder", "vsphere_volume",
    "portworx_volume", "cephfs", "rbd", "glusterfs", "flocker", "quobyte", "storageos", "scale_io", "photon_persistent_disk", "flex_volume",
)


class PersistentVolumePlugin:
    refreshes = False       # by storage.py's own clock: the kubelet's is for contents that come from the API

    def __init__(self, claims: ClaimReader, sources: Sequence[VolumeSource], mounted: MountedClaims) -> None:
        self._claims = claims
        self._sources = tuple(sources)
        self._mounted = mounted

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(source.kind for source in self._sources if source.kind)

    def supports(self, volume: Volume) -> bool:
        return any(one is not None for one in (volume.persistent_volume_claim, volume.ephemeral, volume.csi)) or bool(_inline(volume))

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        wanted = await self._wanted(task)
        try:
            _check_alone(wanted)
            if wanted.spec.host_path is not None:
                await prepare_host_path(wanted.spec.host_path.path, wanted.spec.host_path.type)
                return MountedVolume(wanted.spec.host_path.path, wanted.read_only)
            mounted = await self._source_of(wanted).set_up(wanted)
        except (VolumeStepError, VolumeUnknownError):
            raise
        except (VolumeError, errors.ApiError, OSError, ValueError) as error:
            step = "MapVolume.MapBlockVolume" if wanted.block else "MountVolume.SetUp"
            raise VolumeStepError(step, wanted.name, go_error(error)) from error
        if wanted.claim is not None:
            self._mounted.add(task, wanted.claim, mounted.path)
        return mounted

    async def refresh(self, task: VolumeTask) -> None:
        wanted = await self._wanted(task)
        await self._source_of(wanted).refresh(wanted)

    async def tear_down(self, directory: Path) -> None:
        kind = directory.parent.name.rpartition("~")[2]
        self._mounted.remove(directory)
        await next(source for source in self._sources if source.kind == kind).tear_down(directory)

    def _source_of(self, wanted: SourceTask) -> VolumeSource:
        source = next((source for source in self._sources if source.matches(wanted.spec)), None)
        if source is None:
            raise refuse(wanted.name, wanted.spec)
        return source

    async def _wanted(self, task: VolumeTask) -> SourceTask:
        volume = task.volume
        if claim_name(task.pod, volume):
            claim, held = await self._claims.read(task.pod, volume)
            _check_mode(task.pod, volume, held.spec.volume_mode or "Filesystem")
            asked = volume.persistent_volume_claim is not None and bool(volume.persistent_volume_claim.read_only)
            return SourceTask(
                task=task, name=held.metadata.name, spec=held.spec, volume=held, claim=claim,
                read_only=asked or set(held.spec.access_modes) == {"ReadOnlyMany"})
        if volume.csi is not None:
            return SourceTask(task=task, name=volume.name, spec=_inline_csi(task), read_only=bool(volume.csi.read_only))
        name = _inline(volume)
        return SourceTask(
            task=task, name=volume.name, spec=PersistentVolumeSpec(**{name: getattr(volume, name)}),
            read_only=bool(getattr(getattr(volume, name), "read_only", None)))


def _inline_csi(task: VolumeTask) -> PersistentVolumeSpec:
    source = task.volume.csi
    assert source is not None
    reference = source.node_publish_secret_ref
    secret = None if reference is None else SecretReference(name=reference.name, namespace=task.pod.metadata.namespace)
    return PersistentVolumeSpec(csi=CSIPersistentVolumeSource(
        driver=source.driver, fs_type=source.fs_type, read_only=source.read_only, volume_attributes=source.volume_attributes,
        node_publish_secret_ref=secret))


def _inline(volume: Volume) -> str:
    return next((name for name in INLINE if getattr(volume, name, None) is not None), "")


def _check_mode(pod: Pod, volume: Volume, mode: str) -> None:
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    mounted = any(mount.name == volume.name for container in containers for mount in container.volume_mounts)
    device = any(one.name == volume.name for container in containers for one in container.volume_devices)
    if mode == "Block" and mounted:
        raise VolumeError(f"volume {volume.name} has volumeMode Block, but is specified in volumeMounts")
    if mode == "Filesystem" and device:
        raise VolumeError(f"volume {volume.name} has volumeMode Filesystem, but is specified in volumeDevices")


def _check_alone(wanted: SourceTask) -> None:
    """ReadWriteOncePod: the scheduler has looked already, but not at Pods that name their node themselves."""
    if "ReadWriteOncePod" not in wanted.spec.access_modes:
        return
    own = wanted.task.pod_dir
    others = own.parent.glob(f"*/volumes/kubernetes.io~*/{wanted.name}")
    if any(own not in other.parents for other in others):
        raise VolumeError("volume uses the ReadWriteOncePod access mode and is already in use by another pod")
