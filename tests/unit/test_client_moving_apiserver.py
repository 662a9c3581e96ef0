"""An apiserver that comes back under another address: clients that know its name find it again. A real gRPC server, a real resolver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from control_plane.apiserver.grpc_door.server import OPTIONS
from kube.apimachinery import errors
from kube.apimachinery.resources import SCHEME
from kube.client.grpc_channel import CHANNEL_OPTIONS
from kube.client.grpc_transport import GrpcTransport
from kube.client.transport import Location, WatchQuery, WriteOptions
from kube.process.config import ApiserverAccess, ConfigError, TlsFiles
from kube.process.tls import grpc_channel_credentials, grpc_server_credentials
from kube.rpc.v1 import objects_pb2 as pb
from kube.rpc.v1.objects_pb2_grpc import ObjectServiceServicer, ObjectServiceStub, add_ObjectServiceServicer_to_server
from tests.support.apiserver_pki import TestPki
from tests.support.names import Names, serving_names
from tests.support.ports import free_port

HERE, THERE = "127.0.0.2", "127.0.0.3"
NAME = "kubernetes"                 # in the certificate
PING_BYTES = 17 + 22                # an HTTP/2 PING frame, a TLS record around it
ROW = SCHEME.for_path("", "v1", "configmaps")
assert ROW is not None
AT = Location(ROW, "default", "x")


class Objects(ObjectServiceServicer):
    """Says where it is, whatever it is asked; a watch says it once and stays open."""

    def __init__(self, address: str) -> None:
        self._address = address.encode()
        self.creates = 0

    async def Get(self, request: Any, context: Any) -> pb.ObjectReply:  # noqa: N802
        return pb.ObjectReply(object=self._address)

    async def Create(self, request: Any, context: Any) -> pb.ObjectReply:  # noqa: N802
        self.creates += 1
        return pb.ObjectReply(object=self._address)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[pb.WatchReply]:  # noqa: N802
        yield pb.WatchReply(events=[pb.WatchEvent(type=pb.EventType.ADDED, object=self._address)])
        await asyncio.Event().wait()


@pytest.fixture
def pki(tmp_path: Path) -> TestPki:
    return TestPki(tmp_path / "pki")


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    async with serving_names() as served:
        yield served


@pytest.fixture
def port() -> int:
    """Free on all addresses of loopback."""
    return free_port()


@asynccontextmanager
async def apiserver(address: str, port: int, tls: TlsFiles) -> AsyncIterator[Objects]:
    server, objects = grpc.aio.server(options=OPTIONS), Objects(address)
    add_ObjectServiceServicer_to_server(objects, server)
    assert server.add_secure_port(f"{address}:{port}", grpc_server_credentials(tls)) == port
    await server.start()
    try:
        yield objects
    finally:
        await server.stop(None)


@asynccontextmanager
async def client_of(pki: TestPki, names: Names, port: int, name: str = NAME) -> AsyncIterator[GrpcTransport]:
    target = f"dns://127.0.0.1:{names.port}/{name}:{port}"
    transport = GrpcTransport(ApiserverAccess(targets=(target,), tls=pki.identity("client")))
    try:
        yield transport
    finally:
        await transport.close()


async def where(transport: GrpcTransport, within_s: float) -> str:
    """Who answers; a call that falls with its connection is made again, as every client of ours does."""
    async with asyncio.timeout(within_s):
        while True:
            with suppress(errors.ServiceUnavailable):
                return (await transport.get(AT)).decode()


async def test_a_server_that_ends_is_found_where_it_starts_again(pki: TestPki, names: Names, port: int) -> None:
    tls = pki.identity("server")
    async with client_of(pki, names, port) as client:
        names.addresses[NAME] = HERE
        async with apiserver(HERE, port, tls):
            assert await where(client, 30) == HERE
        names.addresses[NAME] = THERE
        async with apiserver(THERE, port, tls):
            assert await where(client, 30) == THERE


async def test_a_server_whose_name_was_unknown_meanwhile_is_found(pki: TestPki, names: Names, port: int) -> None:
    tls = pki.identity("server")
    async with client_of(pki, names, port) as client:
        names.addresses[NAME] = HERE
        async with apiserver(HERE, port, tls):
            assert await where(client, 30) == HERE
        del names.addresses[NAME]
        reading = asyncio.create_task(where(client, 30), name="read")
        writing = asyncio.create_task(client.create(AT, b"{}", WriteOptions()), name="write")
        asked = names.asked
        async with asyncio.timeout(30):
            while names.asked < asked + 8:      # gRPC alone has slowed down by now  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        names.addresses[NAME] = THERE
        async with apiserver(THERE, port, tls) as objects:
            async with asyncio.timeout(30):
                assert await reading == THERE
            with suppress(errors.ServiceUnavailable, errors.Timeout):       # it may not have been sent in its time,
                await writing
            assert objects.creates <= 1                                     # but never twice


class Way:
    """A way to the server. Once it is silent nothing comes through, and nobody says so."""

    def __init__(self, there: str, port: int) -> None:
        self._there, self._port = there, port
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.silent = False
        self.from_client = 0        # bytes

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        out_reader, out_writer = await asyncio.open_connection(self._there, self._port)
        self._writers += writer, out_writer
        self._tasks += (
            asyncio.create_task(self._pipe(reader, out_writer, counted=True), name="there"),
            asyncio.create_task(self._pipe(out_reader, writer, counted=False), name="back"),
        )

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        while data := await reader.read(1 << 16):
            self.from_client += len(data) if counted else 0
            if not self.silent:
                writer.write(data)
        writer.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def silenceable(here: str, there: str, port: int) -> AsyncIterator[Way]:
    way = Way(there, port)
    server = await asyncio.start_server(way.relay, here, port)
    try:
        yield way
    finally:
        server.close()
        await way.close()
        await server.wait_closed()


async def test_a_server_that_vanishes_without_a_word_is_missed_within_seconds(pki: TestPki, names: Names, port: int) -> None:
    tls = pki.identity("server")
    async with apiserver(THERE, port, tls), client_of(pki, names, port) as client:
        names.addresses[NAME] = HERE
        async with silenceable(HERE, THERE, port) as way:
            async with aclosing(client.watch(AT, WatchQuery())) as watch:
                (event,) = await anext(watch)
                assert event.object == THERE.encode()
                names.addresses[NAME] = THERE
                way.silent = True
                with pytest.raises(errors.ServiceUnavailable):
                    async with asyncio.timeout(60):
                        await anext(watch)
            assert await where(client, 30) == THERE


async def test_the_certificate_must_be_the_names(pki: TestPki, names: Names, port: int) -> None:
    names.addresses["elsewhere.example"] = HERE
    async with apiserver(HERE, port, pki.identity("server")), client_of(pki, names, port, "elsewhere.example") as client:
        with pytest.raises(TimeoutError):
            await where(client, 3)


async def test_an_idle_connection_stays_for_all_its_pings(pki: TestPki, names: Names, port: int) -> None:
    """A server ends the connection of a client that pings more often than it allows; by default, than every five minutes."""
    options = [*{**dict(CHANNEL_OPTIONS), "grpc.keepalive_time_ms": 1_200}.items()]
    credentials = grpc_channel_credentials(pki.identity("client"))
    async with (
        apiserver(HERE, port, pki.identity("server")), silenceable("127.0.0.1", HERE, port) as way,
        grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel,
    ):
        stream = ObjectServiceStub(channel).Watch(pb.WatchRequest())
        assert (await stream.read()).events
        waiting = asyncio.ensure_future(stream.read())
        async with asyncio.timeout(60):
            before = way.from_client
            while way.from_client < before + 6 * PING_BYTES and not waiting.done():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert not waiting.done()
        stream.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


@pytest.mark.parametrize(("targets", "wrong"), [
    pytest.param((), "at least one", id="none"),
    pytest.param(("127.0.0.1:6444", "control-plane:6444"), "got control-plane:6444", id="a name among several"),
])
def test_targets_that_cannot_be_used(targets: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        ApiserverAccess(targets=targets, tls=TlsFiles(cert_file="", key_file="", ca_file=""))
