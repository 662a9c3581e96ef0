"""The way to etcd: several endpoints, mutual TLS, another try when one does not answer.

gRPC's own balancing is not used: over TLS it checks every endpoint's certificate against the first one's name. One
endpoint is in use until it fails; then the next is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import grpc
from aetcd import rpc

from control_plane.storage.errors import Compacted, FutureRevision, NotReached, StorageError, StoreUnavailable, ValueTooLarge
from kube.process.config import TlsFiles
from kube.process.tls import grpc_channel_credentials

R = TypeVar("R")

REQUEST_TIMEOUT_S: Final = 10.0     # for all tries of one request together
TRY_TIMEOUT_S: Final = 5.0
FIRST_BACKOFF_S: Final = 0.02
LAST_BACKOFF_S: Final = 0.1         # to ask again costs nothing, and whatever waits for etcd makes the whole cluster wait

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),        # a range over everything is one message
    ("grpc.max_send_message_length", -1),           # etcd refuses what is too large, with a clearer message
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 1000),        # in truth the connect timeout
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.keepalive_time_ms", 10_000),             # a peer that vanished without a word is noticed; etcd allows 5 s
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.enable_http_proxy", 0),                  # these connections stay on the machine, whatever the user's environment says
    ("grpc.http2.max_pings_without_data", 0),
)

# Of these another try may succeed. ABORTED and CANCELLED come from an etcd that is just stopping.
_PASSING: Final = frozenset({
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL,
})


class LeaseNotFound(StorageError):
    """The lease expired or was never there; does not leave this package."""


@contextmanager
def translating(operation: str) -> Iterator[None]:
    """The one place where a gRPC error becomes a storage error."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        details = error.details() or error.code().name
        if error.code() is grpc.StatusCode.OUT_OF_RANGE and "compacted" in details:
            raise Compacted(0) from error
        if error.code() is grpc.StatusCode.OUT_OF_RANGE and "future revision" in details:
            raise FutureRevision(details) from error
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT and "too large" in details:
            raise ValueTooLarge(details) from error
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:      # by far too large
            raise ValueTooLarge("etcdserver: request is too large") from error
        if error.code() is grpc.StatusCode.NOT_FOUND and "lease" in details:
            raise LeaseNotFound(details) from error
        if error.code() is grpc.StatusCode.UNAVAILABLE and "failed to connect" in details:      # gRPC's words: never sent
            raise NotReached(f"{operation}: {details}") from error
        if error.code() in _PASSING:
            raise StoreUnavailable(f"{operation}: {details}") from error
        raise StorageError(f"{operation}: {details}") from error


class Endpoint:
    """One member of etcd and the stubs that speak to it."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None) -> None:
        self.target = target
        self.channel = (
            grpc.aio.secure_channel(target, credentials, options=_OPTIONS) if credentials
            else grpc.aio.insecure_channel(target, options=_OPTIONS)
        )
        self.kv: Any = rpc.KVStub(self.channel)
        self.lease: Any = rpc.LeaseStub(self.channel)
        self.watch: Any = rpc.WatchStub(self.channel)


Call = Callable[[Endpoint, float], Awaitable[R]]


class Connection:
    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        if not endpoints:
            raise ValueError("no etcd endpoint given")
        self._endpoints = endpoints
        self._current = 0

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoints[self._current]

    def give_up_on(self, endpoint: Endpoint) -> None:
        """Use the next one from now on, unless somebody already moved on."""
        if self.endpoint is endpoint:
            self._current = (self._current + 1) % len(self._endpoints)

    async def attempt(self, operation: str, call: Call[R], timeout_s: float) -> R:
        """One try. Raises StoreUnavailable where another may succeed."""
        endpoint = self.endpoint
        try:
            with translating(operation):
                return await call(endpoint, timeout_s)
        except StoreUnavailable:
            self.give_up_on(endpoint)
            raise

    async def persist(self, operation: str, call: Call[R], timeout_s: float = REQUEST_TIMEOUT_S) -> R:
        """Tries until an endpoint answers or the time is over. For what may be done twice; a write watches over its own tries."""
        async for budget_s in tries(timeout_s):
            try:
                return await self.attempt(operation, call, min(budget_s, TRY_TIMEOUT_S))
            except StoreUnavailable as error:
                last = error
        raise last


async def tries(timeout_s: float) -> AsyncIterator[float]:
    """Yields the remaining seconds before each try, at least once, with growing pauses in between."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    backoff_s = FIRST_BACKOFF_S
    while True:
        yield max(end - loop.time(), FIRST_BACKOFF_S)
        if loop.time() + backoff_s >= end:
            return
        await asyncio.sleep(backoff_s)
        backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)


@asynccontextmanager
async def open_connection(endpoints: Sequence[str], tls: TlsFiles | None) -> AsyncIterator[Connection]:
    credentials = grpc_channel_credentials(tls) if tls else None
    opened = [Endpoint(target, credentials) for target in endpoints]
    try:
        yield Connection(opened)
    finally:
        for endpoint in opened:
            await endpoint.channel.close(None)
