"""Speaking CSI: a channel to a driver's socket, statuses as texts, capabilities from access modes; and a driver's log of its calls."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from kube.apimachinery.go_text import go_status
from kube.csi.block_store import Attached, InUse, NoRoom, NotThere, StoreError, Unfit
from kube.csi.v1 import csi_pb2 as pb
from kube.process.log import Logger

TIMEOUT_S: Final = 120.0

_CODES: Final[dict[type[StoreError], grpc.StatusCode]] = {
    NotThere: grpc.StatusCode.NOT_FOUND, Unfit: grpc.StatusCode.ALREADY_EXISTS, NoRoom: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Attached: grpc.StatusCode.FAILED_PRECONDITION, InUse: grpc.StatusCode.FAILED_PRECONDITION,
}
_SINGLE: Final = {"ReadWriteOncePod": "SINGLE_NODE_SINGLE_WRITER", "ReadWriteOnce": "SINGLE_NODE_MULTI_WRITER"}
_PLAIN: Final = {"ReadWriteOncePod": "SINGLE_NODE_WRITER", "ReadWriteOnce": "SINGLE_NODE_WRITER"}
_MANY: Final = {"ReadWriteMany": "MULTI_NODE_MULTI_WRITER", "ReadOnlyMany": "MULTI_NODE_READER_ONLY"}


def open_channel(socket: str | Path) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{socket}", options=[("grpc.default_authority", "localhost")])


def error_text(error: BaseException) -> str:
    """A driver's status as Go prints it: rpc error: code = NotFound desc = ... Other errors in their own words."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return str(error)
    return go_status(error.code().name, error.details())


def capability(
    modes: Sequence[str], *, fs_type: str = "", mount_flags: Sequence[str] = (), block: bool = False, multi_writer: bool = False,
) -> pb.VolumeCapability:
    """For a volume's access modes, the widest of them. `multi_writer`: the driver tells one writer on a node from several."""
    names = {**(_SINGLE if multi_writer else _PLAIN), **_MANY}
    widest = next((mode for mode in ("ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany") if mode in modes), "")
    mode = pb.VolumeCapability.AccessMode(mode=names.get(widest, "UNKNOWN"))
    if block:
        return pb.VolumeCapability(block=pb.VolumeCapability.BlockVolume(), access_mode=mode)
    mount = pb.VolumeCapability.MountVolume(fs_type=fs_type, mount_flags=list(mount_flags))
    return pb.VolumeCapability(mount=mount, access_mode=mode)


@asynccontextmanager
async def answering(log: Logger, context: grpc.aio.ServicerContext[Any, Any], call: str, **about: Any) -> AsyncIterator[None]:
    """A driver's side of a call: writes one line about it, and turns what is raised (StoreError, OSError) into the call's status."""
    started = time.perf_counter()
    try:
        yield
    except (StoreError, OSError) as error:
        log.warning(call, **about, error=str(error))
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
        await context.abort(code, str(error))
    log.info(call, **about, ms=round((time.perf_counter() - started) * 1000))


@asynccontextmanager
async def serving(socket: Path, add: Callable[[grpc.aio.Server], None]) -> AsyncIterator[None]:
    """A gRPC server on a unix socket, while the context is open."""
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)
    server = grpc.aio.server()
    add(server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace=0.2)
        socket.unlink(missing_ok=True)
