"""The controller half of the cluster's own driver, behind a real CSI socket. It is started by the first call that somebody makes.

A cluster that has no volume of it pays nothing: no socket, no gRPC server, not even the messages are imported.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kube.csi.names import DRIVER
from kube.process.log import get_logger

if TYPE_CHECKING:
    import grpc

    from kube.csi.v1 import csi_pb2_grpc

log = get_logger("csi-driver")


class CsiDriver:
    """`async with` ends it. `folder`: where its volumes lie; `socket`: where it listens."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self.folder = folder
        self._socket = socket
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._stub: csi_pb2_grpc.ControllerStub | None = None

    async def __aenter__(self) -> CsiDriver:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def controller(self) -> csi_pb2_grpc.ControllerStub:
        async with self._starting:
            if self._stub is None:
                self._stub = await self._start()
        return self._stub

    async def _start(self) -> csi_pb2_grpc.ControllerStub:
        from control_plane.controllers.volume.csi.driver_services import BlockController, BlockIdentity
        from kube.csi.block_store import BlockStore
        from kube.csi.calls import open_channel, serving
        from kube.csi.v1 import csi_pb2_grpc

        store = BlockStore(self.folder)

        def add(server: grpc.aio.Server) -> None:
            csi_pb2_grpc.add_IdentityServicer_to_server(BlockIdentity(), server)
            csi_pb2_grpc.add_ControllerServicer_to_server(BlockController(store, log), server)

        await self._stack.enter_async_context(serving(self._socket, add))
        channel = await self._stack.enter_async_context(open_channel(self._socket))
        log.info("driver listens", driver=DRIVER, socket=str(self._socket), folder=str(self.folder))
        return csi_pb2_grpc.ControllerStub(channel)


def call(stub: Any, method: str, request: Any) -> Any:
    """An awaitable reply; no call waits for ever."""
    from kube.csi.calls import TIMEOUT_S

    return getattr(stub, method)(request, timeout=TIMEOUT_S)
