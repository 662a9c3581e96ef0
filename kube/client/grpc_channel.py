"""The connection to the apiserver's gRPC door: its settings, and what happens when a name leads elsewhere.

A target is an address or a name. gRPC looks a name up again whenever its connection ends, here at most once a second. But while the name is
unknown (a container that is off has none) it asks ever more rarely, in the end every two minutes, and has no setting for that. So a channel
to a name that has failed for some seconds is left for a new one, which asks at once. Calls that only read move on to it; a write may be
under way, so it stays with the old channel until it ends or its time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

import grpc
import grpc.aio

from kube.apimachinery import errors
from kube.process.config import ApiserverAccess, is_name
from kube.process.tls import grpc_channel_credentials
from kube.rpc.v1 import objects_pb2_grpc

METADATA_BYTES: Final = 256 * 1024
LOOK_S: Final = 0.5
PATIENCE_S: Final = 2.0              # a channel to a name that fails for so long is left

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1000),        # also the least time a connection attempt may take
    ("grpc.max_reconnect_backoff_ms", 200),         # a refused connection costs nothing; a cluster that starts waits for each of these
    ("grpc.dns_min_time_between_resolutions_ms", 1000),        # the default is 30 s
    ("grpc.dns_ares_query_timeout", 5000),          # 2 minutes
    ("grpc.keepalive_time_ms", 5_000),              # a peer whose address is gone says no word; the server takes a ping every second
    ("grpc.keepalive_timeout_ms", 4_000),           # becomes TCP_USER_TIMEOUT, too
    ("grpc.http2.ping_timeout_ms", 4_000),          # of other pings: while one is under way, there is no keepalive
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),                  # these connections stay on the machine, whatever the user's environment says
    ("grpc.max_metadata_size", METADATA_BYTES),                # a Status comes as a trailer; the default takes 8 KiB
    ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    ("grpc.use_local_subchannel_pool", 1),          # a closed channel's connection is not shared with the next one
)

_END: Final = cast(Any, grpc.aio).EOF


@dataclass(eq=False, slots=True)
class _Opened:
    channel: grpc.aio.Channel
    stub: Any
    reads: set[Any] = field(default_factory=set)        # calls under way
    writes: set[Any] = field(default_factory=set)
    left: bool = False                                  # for another channel

    async def close(self) -> None:
        await self.channel.close(None)


class ApiserverChannel:
    """Methods of ObjectService by name. Several targets are addresses, tried in order; the connection stays with the first that answers."""

    def __init__(self, access: ApiserverAccess) -> None:
        self._access = access
        self._opened: _Opened | None = None
        self._leaving: set[_Opened] = set()
        self._watching: asyncio.Task[None] | None = None

    async def write(self, method: str, request: Any, timeout_s: float) -> Any:
        """Waits for a connection and sends once. Raises AioRpcError."""
        opened = self._current()
        call = getattr(opened.stub, method)(request, timeout=timeout_s, wait_for_ready=True)
        opened.writes.add(call)
        try:
            return await call
        finally:
            opened.writes.discard(call)
            await self._end(opened)

    async def read(self, method: str, request: Any, timeout_s: float) -> Any:
        """Waits for a connection. Raises AioRpcError."""
        end = asyncio.get_running_loop().time() + timeout_s
        while True:
            opened = self._current()
            left_s = max(0.001, end - asyncio.get_running_loop().time())
            call = getattr(opened.stub, method)(request, timeout=left_s, wait_for_ready=True)
            opened.reads.add(call)
            try:
                return await call
            except asyncio.CancelledError:
                if not opened.left or _is_cancelled():
                    raise
            finally:
                opened.reads.discard(call)

    async def stream(self, method: str, request: Any) -> AsyncGenerator[Any, None]:
        """Waits for a connection, then yields what comes. Raises AioRpcError, ServiceUnavailable when it is cut short here."""
        received = 0
        while True:
            opened = self._current()
            call = getattr(opened.stub, method)(request, wait_for_ready=True)
            opened.reads.add(call)
            try:
                while (reply := await call.read()) is not _END:
                    received += 1
                    yield reply
                return
            except asyncio.CancelledError:
                if not opened.left or _is_cancelled():
                    raise
                if received:
                    raise errors.ServiceUnavailable("the connection is lost") from None
            finally:
                opened.reads.discard(call)
                call.cancel()

    async def close(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        opened, self._opened = self._opened, None
        for one in (*self._leaving, *([opened] if opened else [])):
            await one.close()
        self._leaving.clear()

    def _current(self) -> _Opened:
        # A channel belongs to the running event loop, so it is made by the first call and not by the constructor.
        if self._opened is None:
            self._opened = _open(self._access)
            if is_name(self._access.targets[0]):
                self._watching = asyncio.create_task(self._leave_what_fails(), name="apiserver channel")
        return self._opened

    async def _leave_what_fails(self) -> None:
        loop, failing_since = asyncio.get_running_loop(), float("inf")
        while (opened := self._opened) is not None:
            state = opened.channel.get_state()
            if state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                failing_since = float("inf")
            elif loop.time() - (failing_since := min(failing_since, loop.time())) >= PATIENCE_S:
                failing_since = float("inf")
                self._opened = _open(self._access)
                self._leaving.add(opened)
                opened.left = True
                for call in [*opened.reads]:
                    call.cancel()
                await self._end(opened)
            await asyncio.sleep(LOOK_S)

    async def _end(self, opened: _Opened) -> None:
        if opened in self._leaving and not opened.writes:
            self._leaving.discard(opened)
            await opened.close()


def _is_cancelled() -> bool:
    """Whether the caller is, and not just the call."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _open(access: ApiserverAccess) -> _Opened:
    options: list[tuple[str, Any]] = list(CHANNEL_OPTIONS)
    target = access.targets[0]
    if len(access.targets) > 1:
        # One name for all of them: each apiserver's certificate carries it.
        target = "ipv4:" + ",".join(access.targets)
        options.append(("grpc.ssl_target_name_override", "kubernetes"))
    channel = grpc.aio.secure_channel(target, grpc_channel_credentials(access.tls), options=options)
    return _Opened(channel, cast(Any, objects_pb2_grpc).ObjectServiceStub(channel))
