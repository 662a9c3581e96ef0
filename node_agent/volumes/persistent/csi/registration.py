"""Drivers make themselves known: a socket in plugins_registry says which plugin listens where. Follows pkg/kubelet/pluginmanager."""

from __future__ import annotations

import asyncio
import itertools
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc

from kube.apimachinery import errors
from kube.process.log import get_logger
from node_agent.runtime.syscalls import IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO
from node_agent.runtime.watches import watching
from node_agent.volumes.persistent.csi.node_info import NodeInfo
from node_agent.volumes.persistent.refused import not_registered

if TYPE_CHECKING:
    from kube.csi.v1 import csi_pb2_grpc

FOLDER: Final = "plugins_registry"
CSI_PLUGIN: Final = "CSIPlugin"
RETRY_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
CALL_S: Final = 120.0

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


class _Socket(NamedTuple):
    born: tuple[int, int]
    task: asyncio.Task[None]                            # that registers it


class Drivers:
    """Watches the folder for as long as `run` does. Sockets that were there before count as new."""

    def __init__(self, root_dir: Path, info: NodeInfo) -> None:
        self._folder = root_dir / FOLDER
        self._info = info
        self._registered: dict[str, Driver] = {}        # by name
        self._by_socket: dict[str, str] = {}            # file name -> driver
        self._sockets: dict[str, _Socket] = {}          # by file name

    def get(self, name: str) -> Driver:
        """Raises VolumeError."""
        driver = self._registered.get(name)
        if driver is None:
            raise not_registered(name)
        return driver

    async def run(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        changed = asyncio.Event()
        try:
            with watching(self._folder, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO, changed.set):
                async with asyncio.TaskGroup() as tasks:
                    while True:
                        changed.clear()
                        await self._look(tasks)
                        await changed.wait()
        finally:
            gone = [*self._registered.values()]
            for held in (self._sockets, self._registered, self._by_socket):
                held.clear()
            for driver in gone:
                await driver.channel.close()

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        there = {entry.name: born for entry in self._folder.iterdir() if (born := _socket_born(entry))}
        for name, known in [*self._sockets.items()]:
            if there.get(name) != known.born:       # gone, or another in its place: the driver was started anew
                del self._sockets[name]
                known.task.cancel()
                await self._forget(name)
        for name in there.keys() - self._sockets.keys():
            self._sockets[name] = _Socket(there[name], tasks.create_task(self._register(name), name=f"register {name}"))

    async def _register(self, socket: str) -> None:
        """Until it is done: a driver may be there before it answers."""
        from kube.csi.calls import error_text

        retries = itertools.chain(RETRY_S, itertools.repeat(RETRY_S[-1]))
        while True:
            try:
                return await self._try(socket)
            except Exception as error:
                log.warning("driver not registered, trying again", socket=socket, error=error_text(error))
                await asyncio.sleep(next(retries))

    async def _try(self, socket: str) -> None:
        from kube.csi.calls import error_text, open_channel
        from kube.csi.v1 import registration_pb2, registration_pb2_grpc

        async with open_channel(self._folder / socket) as channel:
            registration = registration_pb2_grpc.RegistrationStub(channel)
            plugin = await registration.GetInfo(registration_pb2.InfoRequest(), timeout=CALL_S)
            if plugin.type != CSI_PLUGIN:
                return
            try:
                driver = await self._introduced(plugin.name, plugin.endpoint or str(self._folder / socket))
            except Exception as error:
                status = registration_pb2.RegistrationStatus(plugin_registered=False, error=error_text(error))
                with suppress(grpc.aio.AioRpcError):
                    await registration.NotifyRegistrationStatus(status, timeout=CALL_S)
                raise
            if (old := self._registered.get(driver.name)) is not None:
                await old.channel.close()
            self._registered[driver.name] = driver
            self._by_socket[socket] = driver.name
            done = registration_pb2.RegistrationStatus(plugin_registered=True)
            await registration.NotifyRegistrationStatus(done, timeout=CALL_S)
            log.info("driver registered", driver=driver.name, endpoint=plugin.endpoint)

    async def _introduced(self, name: str, endpoint: str) -> Driver:
        """Asked what it is, and told to the cluster. Raises AioRpcError, ApiError, ValueError."""
        from kube.csi.calls import open_channel
        from kube.csi.v1 import csi_pb2 as pb
        from kube.csi.v1 import csi_pb2_grpc

        channel = open_channel(endpoint)
        try:
            node = csi_pb2_grpc.NodeStub(channel)
            info = await node.NodeGetInfo(pb.NodeGetInfoRequest(), timeout=CALL_S)
            found = await node.NodeGetCapabilities(pb.NodeGetCapabilitiesRequest(), timeout=CALL_S)
            await self._info.add(name, info.node_id, dict(info.accessible_topology.segments), info.max_volumes_per_node)
        except BaseException:
            await channel.close()
            raise
        names = frozenset(pb.NodeServiceCapability.RPC.Type.Name(one.rpc.type) for one in found.capabilities)
        return Driver(name, node, channel, names)

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


def _socket_born(path: Path) -> tuple[int, int] | None:
    """Which socket it is, for names may be used again at once; None: it is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_ctime_ns) if stat.S_ISSOCK(found.st_mode) else None
