"""Drivers make themselves known: a socket in plugins_registry says which plugin listens where. Follows pkg/kubelet/pluginmanager."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kube.apimachinery import errors
from kube.process.log import get_logger
from node_agent.runtime.syscalls import inotify_add_watch, inotify_init
from node_agent.volumes.persistent.csi.node_info import NodeInfo
from node_agent.volumes.persistent.refused import not_registered

if TYPE_CHECKING:
    import grpc

    from kube.csi.v1 import csi_pb2_grpc

FOLDER: Final = "plugins_registry"
CSI_PLUGIN: Final = "CSIPlugin"
RETRY_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
CALL_S: Final = 120.0
_IN_CREATE, _IN_DELETE, _IN_MOVED = 0x100, 0x200, 0xC0

log = get_logger("csi")


@dataclass(slots=True)
class Driver:
    """A registered driver."""

    name: str
    node: csi_pb2_grpc.NodeStub
    channel: grpc.aio.Channel
    capabilities: frozenset[str] = field(default_factory=frozenset)     # STAGE_UNSTAGE_VOLUME, EXPAND_VOLUME ...

    async def call(self, method: str, request: Any) -> Any:
        """Raises AioRpcError."""
        return await getattr(self.node, method)(request, timeout=CALL_S)


class Drivers:
    """Watches the folder for as long as `run` does. Sockets that were there before count as new."""

    def __init__(self, root_dir: Path, info: NodeInfo) -> None:
        self._folder = root_dir / FOLDER
        self._info = info
        self._registered: dict[str, Driver] = {}        # by name
        self._by_socket: dict[str, str] = {}            # file name -> driver
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def get(self, name: str) -> Driver:
        """Raises VolumeError."""
        driver = self._registered.get(name)
        if driver is None:
            raise not_registered(name)
        return driver

    async def run(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        watch = inotify_init()
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            inotify_add_watch(watch, str(self._folder), _IN_CREATE | _IN_DELETE | _IN_MOVED)
            loop.add_reader(watch, _drain, watch, changed)
            while True:
                changed.clear()
                await self._look()
                await changed.wait()
        finally:
            loop.remove_reader(watch)
            os.close(watch)
            for task in self._tasks.values():
                task.cancel()
            gone = [*self._registered.values()]
            for held in (self._tasks, self._registered, self._by_socket):
                held.clear()
            for driver in gone:
                await driver.channel.close()

    async def _look(self) -> None:
        there = {entry.name for entry in self._folder.iterdir() if _is_socket(entry)}
        for name in [*self._tasks]:
            if name not in there:
                self._tasks.pop(name).cancel()
                await self._forget(name)
        for name in there - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._register(name), name=f"register {name}")

    async def _register(self, socket: str) -> None:
        """Until it is done: a driver may be there before it answers."""
        for attempt in range(1_000_000):
            try:
                await self._try(socket)
            except Exception as error:
                log.warning("driver not registered, trying again", socket=socket, error=str(error))
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            else:
                return

    async def _try(self, socket: str) -> None:
        from kube.csi.calls import open_channel
        from kube.csi.v1 import csi_pb2 as pb
        from kube.csi.v1 import csi_pb2_grpc, registration_pb2, registration_pb2_grpc

        async with open_channel(self._folder / socket) as channel:
            registration = registration_pb2_grpc.RegistrationStub(channel)
            plugin = await registration.GetInfo(registration_pb2.InfoRequest(), timeout=CALL_S)
            if plugin.type != CSI_PLUGIN:
                return
            driver_channel = open_channel(plugin.endpoint or self._folder / socket)
            try:
                node = csi_pb2_grpc.NodeStub(driver_channel)
                info = await node.NodeGetInfo(pb.NodeGetInfoRequest(), timeout=CALL_S)
                found = await node.NodeGetCapabilities(pb.NodeGetCapabilitiesRequest(), timeout=CALL_S)
                await self._info.add(plugin.name, info.node_id, dict(info.accessible_topology.segments), info.max_volumes_per_node)
            except BaseException as error:
                await driver_channel.close()
                status = registration_pb2.RegistrationStatus(plugin_registered=False, error=str(error))
                with suppress(Exception):
                    await registration.NotifyRegistrationStatus(status, timeout=CALL_S)
                raise
            names = frozenset(pb.NodeServiceCapability.RPC.Type.Name(one.rpc.type) for one in found.capabilities)
            if (old := self._registered.get(plugin.name)) is not None:
                await old.channel.close()
            self._registered[plugin.name] = Driver(plugin.name, node, driver_channel, names)
            self._by_socket[socket] = plugin.name
            done = registration_pb2.RegistrationStatus(plugin_registered=True)
            await registration.NotifyRegistrationStatus(done, timeout=CALL_S)
            log.info("driver registered", driver=plugin.name, endpoint=plugin.endpoint)

    async def _forget(self, socket: str) -> None:
        name = self._by_socket.pop(socket, "")
        if (driver := self._registered.pop(name, None)) is None:
            return
        await driver.channel.close()
        log.info("driver is gone", driver=name)
        try:
            await self._info.remove(name)
        except errors.ApiError as error:
            log.warning("driver not taken off the CSINode", driver=name, error=str(error))


def _drain(watch: int, changed: asyncio.Event) -> None:
    with suppress(BlockingIOError):
        os.read(watch, 65536)
    changed.set()


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
