"""Volumes of CSI drivers: wait until attached, stage once for the node, let the file system grow, publish for the Pod; and back.

    plugins/kubernetes.io/csi/DRIVER/HASH/globalmount          staged, for all Pods of the node
    pods/UID/volumes/kubernetes.io~csi/NAME/mount              published, for one Pod
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc

from kube.api.core_v1 import PersistentVolumeSpec, SecretReference
from kube.api.storage_v1 import CSIDriver, CSIDriverSpec, VolumeAttachment
from kube.apimachinery import errors
from kube.apimachinery.go_text import go_error
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.csi.names import attachment_name
from node_agent.runtime.syscalls import unmount
from node_agent.volumes.ownership import apply_fs_group
from node_agent.volumes.persistent.csi.in_use import VolumesInUse
from node_agent.volumes.persistent.csi.registration import Driver, Drivers
from node_agent.volumes.persistent.csi.resize import Resize
from node_agent.volumes.persistent.csi.volume_data import VolumeData, load, published, remove, save, staging_folder
from node_agent.volumes.persistent.locks import KeyedLocks
from node_agent.volumes.persistent.source import SourceTask
from node_agent.volumes.plugin import MountedVolume, VolumeError, VolumeStepError

if TYPE_CHECKING:
    from kube.csi.v1 import csi_pb2 as pb

LOOK_S: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, *(1.0,) * 7)       # between looks for an attachment; then the event, and all begins anew
Secrets = Callable[[str, str], Awaitable[Mapping[str, bytes] | None]]


class CsiSource:
    kind = "csi"

    def __init__(
        self, client: Client, node_name: str, root_dir: Path, drivers: Drivers, in_use: VolumesInUse, resize: Resize, secrets: Secrets,
    ) -> None:
        self._client = client
        self._node_name = node_name
        self._root_dir = root_dir
        self._drivers = drivers
        self._in_use = in_use
        self._resize = resize
        self._secrets = secrets
        self._locks = KeyedLocks()

    def matches(self, spec: PersistentVolumeSpec) -> bool:
        return spec.csi is not None

    async def set_up(self, task: SourceTask) -> MountedVolume:
        data = _data(task)
        driver = self._drivers.get(data.driver)
        async with self._locks.holding((data.driver, data.handle)):
            with _statuses_told():
                return await self._mounted(task, driver, data)

    async def refresh(self, task: SourceTask) -> None:
        """The file system grows while the Pod runs."""
        from kube.csi.calls import capability

        source = task.spec.csi
        assert source is not None
        if task.volume is None:
            return
        data = _data(task)
        driver = self._drivers.get(data.driver)
        staging = staging_folder(self._root_dir, data.driver, data.handle) / "globalmount"
        wanted = capability(task.spec.access_modes, fs_type=source.fs_type, block=task.block)
        async with self._locks.holding((data.driver, data.handle)):
            with _statuses_told():
                await self._resize.grow(driver, task, data, str(task.directory(self.kind) / "mount"), str(staging), wanted)

    async def tear_down(self, directory: Path) -> None:
        data = load(directory)
        if data is None:
            await asyncio.to_thread(unmount, str(directory / "mount"))
            return
        from kube.csi.calls import error_text
        from kube.csi.v1 import csi_pb2 as pb

        async with self._locks.holding((data.driver, data.handle)):
            try:
                driver = self._drivers.get(data.driver)
                target = str(directory / "mount")
                await driver.call("NodeUnpublishVolume", pb.NodeUnpublishVolumeRequest(volume_id=data.handle, target_path=target))
                await asyncio.to_thread(remove, directory, "mount")
                if not data.inline and not published(self._root_dir / "pods", data):
                    await self._unstage(driver, data)
            except (VolumeError, OSError, errors.ApiError, grpc.aio.AioRpcError) as error:
                raise OSError(f"UnmountVolume.TearDown failed for volume {data.name!r}: {error_text(error)}") from error

    # -- up ---------------------------------------------------------------------------------------------------------------------

    async def _mounted(self, task: SourceTask, driver: Driver, data: VolumeData) -> MountedVolume:
        from kube.csi.calls import capability
        from kube.csi.v1 import csi_pb2 as pb

        source = task.spec.csi
        assert source is not None
        object_ = await self._driver_object(source.driver)
        modes = task.spec.access_modes if not data.inline else ("ReadWriteOnce",)
        wanted = capability(
            modes, fs_type=source.fs_type, mount_flags=task.spec.mount_options, block=task.block,
            multi_writer="SINGLE_NODE_MULTI_WRITER" in driver.capabilities)
        context: dict[str, str] = {}
        staging = ""
        directory = task.directory(self.kind)
        # First of all: what is begun here is then taken back with the Pod, however far it came.
        save(directory, data, nodeName=self._node_name, attachmentID=attachment_name(data.handle, data.driver, self._node_name))
        if not data.inline:
            await self._in_use.add(data)
            if object_.attach_required is not False:
                with _step(task, "MapVolume.WaitForAttach" if task.block else "MountVolume.WaitForAttach"):
                    context = await self._attached(data)
            with _step(task, "MapVolume.SetUpDevice" if task.block else "MountVolume.MountDevice"):
                staging = await self._staged(task, driver, data, wanted, context)
        read_only = task.read_only or bool(source.read_only)
        target = directory / "mount"
        request = pb.NodePublishVolumeRequest(
            volume_id=data.handle, publish_context=context, staging_target_path=staging, target_path=str(target),
            volume_capability=wanted, readonly=read_only, secrets=await self._secret(source.node_publish_secret_ref),
            volume_context={**source.volume_attributes, **(_pod_info(task, inline=data.inline) if object_.pod_info_on_mount else {})})
        await driver.call("NodePublishVolume", request)
        if not read_only and not task.block and _owns_files(object_, source.fs_type, modes):
            await asyncio.to_thread(apply_fs_group, str(target), task.task.fs_group, policy=task.task.fs_group_policy)
        if not data.inline:
            await self._resize.grow(driver, task, data, str(target), staging, wanted)
        return MountedVolume(str(target), read_only)

    async def _staged(
        self, task: SourceTask, driver: Driver, data: VolumeData, wanted: pb.VolumeCapability, context: dict[str, str]
    ) -> str:
        """The path, also "" for drivers that stage nothing."""
        from kube.csi.v1 import csi_pb2 as pb

        if "STAGE_UNSTAGE_VOLUME" not in driver.capabilities:
            return ""
        source, folder = task.spec.csi, staging_folder(self._root_dir, data.driver, data.handle)
        assert source is not None
        place = folder / "globalmount"
        save(folder, data)
        place.mkdir(exist_ok=True, mode=0o750)
        await driver.call("NodeStageVolume", pb.NodeStageVolumeRequest(
            volume_id=data.handle, publish_context=context, staging_target_path=str(place), volume_capability=wanted,
            secrets=await self._secret(source.node_stage_secret_ref), volume_context=source.volume_attributes))
        return str(place)

    async def _attached(self, data: VolumeData) -> dict[str, str]:
        """Waits until the attachment says so; the controllers make it once the Pod has its node."""
        key = NamespacedName("", attachment_name(data.handle, data.driver, self._node_name))
        problem = f"timed out waiting for external-attacher of {data.driver} CSI driver to attach volume {data.handle}"
        for delay_s in LOOK_S:
            await asyncio.sleep(delay_s)
            try:
                held = await self._client.get(VolumeAttachment, key)
            except (errors.NotFound, errors.Forbidden):         # the authorizer does not know it yet
                held = None
            if held is not None and held.status.attached and not held.metadata.deletion_timestamp:
                return dict(held.status.attachment_metadata)
            if held is not None and held.status.attach_error is not None:
                problem = held.status.attach_error.message
        raise VolumeError(problem)

    async def _driver_object(self, name: str) -> CSIDriverSpec:
        try:
            return (await self._client.get(CSIDriver, NamespacedName("", name))).spec
        except errors.NotFound:
            return CSIDriverSpec()

    async def _secret(self, reference: SecretReference | Any | None) -> dict[str, str]:
        if reference is None or not reference.name:
            return {}
        data = await self._secrets(getattr(reference, "namespace", ""), reference.name)
        if data is None:
            raise VolumeError(f'failed to get secret from [{getattr(reference, "namespace", "")}/{reference.name}]')
        return {key: value.decode() for key, value in data.items()}

    # -- down -------------------------------------------------------------------------------------------------------------------

    async def _unstage(self, driver: Driver, data: VolumeData) -> None:
        from kube.csi.v1 import csi_pb2 as pb

        folder = staging_folder(self._root_dir, data.driver, data.handle)
        if folder.exists():
            place = str(folder / "globalmount")
            await driver.call("NodeUnstageVolume", pb.NodeUnstageVolumeRequest(volume_id=data.handle, staging_target_path=place))
            await asyncio.to_thread(remove, folder, "globalmount")
        await self._in_use.remove(data)


def _data(task: SourceTask) -> VolumeData:
    source = task.spec.csi
    assert source is not None
    inline = task.volume is None
    return VolumeData(source.driver, _inline_handle(task) if inline else source.volume_handle, task.name, inline)


def _inline_handle(task: SourceTask) -> str:
    pod = task.task.pod.metadata
    return "csi-" + hashlib.sha256(f"{task.name}{pod.namespace}{pod.uid}{pod.name}".encode()).hexdigest()


def _pod_info(task: SourceTask, *, inline: bool) -> dict[str, str]:
    pod = task.task.pod
    prefix = "csi.storage.k8s.io/"
    return {
        f"{prefix}pod.name": pod.metadata.name, f"{prefix}pod.namespace": pod.metadata.namespace, f"{prefix}pod.uid": pod.metadata.uid,
        f"{prefix}serviceAccount.name": pod.spec.service_account_name, f"{prefix}ephemeral": "true" if inline else "false",
    }


def _owns_files(driver: CSIDriverSpec, fs_type: str, modes: tuple[str, ...]) -> bool:
    """Whether fsGroup is the kubelet's to apply: fsGroupPolicy of the driver."""
    policy = driver.fs_group_policy or "ReadWriteOnceWithFSType"
    if policy == "ReadWriteOnceWithFSType":
        return bool(fs_type) and bool({"ReadWriteOnce", "ReadWriteOncePod"} & set(modes))
    return policy == "File"


@contextmanager
def _step(task: SourceTask, name: str) -> Iterator[None]:
    """What fails within is told under this name."""
    try:
        with _statuses_told():
            yield
    except (VolumeError, errors.ApiError, OSError) as error:
        raise VolumeStepError(name, task.name, go_error(error)) from error


@contextmanager
def _statuses_told() -> Iterator[None]:
    """What a driver's status says becomes a VolumeError, in words for the event."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        from kube.csi.calls import error_text

        raise VolumeError(error_text(error)) from error
