"""Bytes and behaviour that are no client's: HTTP that means two things, clients that are slow or half gone, garbage at every door.

Each is answered or hung up on, and the server is well afterwards: it answers, and holds no more than before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio

from kube.process.tls import client_context, grpc_channel_credentials
from tests.support.api_calls import STRATEGIC_PATCH, Api, config_map
from tests.support.apiserver import RunningApiserver, running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

MAPS = "/api/v1/namespaces/default/configmaps"
MEMORY = 60_000_000
PATIENCE_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        yield running
        assert "Traceback" not in running.log      # whatever was sent


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def unharmed(server: RunningApiserver, api: Api) -> AsyncIterator[None]:
    """After each test: healthy, no memory and no file descriptors more."""
    assert (await api.get("/api"))[0] == 200
    memory, files = server.process.memory_info().rss, server.process.num_fds()
    yield
    assert (await api.get(MAPS, limit="1"))[0] == 200
    async with asyncio.timeout(PATIENCE_S):
        while server.process.num_fds() > files + 2:      # noqa: ASYNC110  the kernel says when
            await asyncio.sleep(0.05)
    assert server.process.memory_info().rss < memory + MEMORY


class Line:
    """A TLS connection, and nothing that knows HTTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):      # the server may have had enough
            self.writer.write(data)
            await self.writer.drain()

    async def code(self) -> int:
        """Of the next answer; 0 where the server hangs up without one."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                words = (await self.reader.readuntil(b"\r\n")).split()
            except (asyncio.IncompleteReadError, ConnectionError):
                return 0
        assert words[0].startswith(b"HTTP/")
        return int(words[1])

    async def ended(self) -> None:
        """Returns when the server has closed the connection."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass


@contextlib.asynccontextmanager
async def line(server: RunningApiserver, context: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Line]:
    context = context or client_context(server.admin)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, **options)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST " + MAPS.encode() + b" HTTP/1.1", b"Host: x", b"Content-Type: application/json", *lines, b"", body))


def get(*lines: bytes, target: bytes = b"/version", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join((b"GET " + target + b" " + version, b"Host: x", *lines, b"", b""))


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize("sent", [
    pytest.param(post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"), id="both lengths"),
    pytest.param(post(b"Content-Length: 5", b"Content-Length: 6", body=b"abcdef"), id="two lengths"),
    pytest.param(post(b"Content-Length: 2", b"Content-Length: 2", body=b"{}"), id="one length twice"),
    pytest.param(post(b"Content-Length: 2, 2", body=b"{}"), id="list of lengths"),
    pytest.param(post(b"Content-Length: +2", body=b"{}"), id="length with a sign"),
    pytest.param(post(b"Content-Length: 1_0", body=b"{}"), id="length with an underscore"),
    pytest.param(post(b"Content-Length: -1", body=b"{}"), id="negative length"),
    pytest.param(post(b"Content-Length: " + b"9" * 40, body=b"{}"), id="length beyond 64 bits"),
    pytest.param(post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), id="unknown coding"),
    pytest.param(post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), id="chunked is not the last coding"),
    pytest.param(post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), id="chunked twice"),
    pytest.param(post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), id="space before the colon"),
    pytest.param(post(CHUNKED, body=b"zz\r\n\r\n"), id="chunk size that is none"),
    pytest.param(post(CHUNKED, body=b"f" * 20 + b"\r\n{}"), id="chunk size beyond 64 bits"),
    pytest.param(post(CHUNKED, body=b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n"), id="endless trailers"),
    pytest.param(get(b"X-A: b\r\n c"), id="folded header"),
    pytest.param(b"GET /version HTTP/1.1\nHost: x\n\n", id="bare line feeds"),
    pytest.param(get(b"X-A: b\nX-C: d"), id="line feed in a header"),
    pytest.param(get(b"X-A: b\rX-C: d"), id="carriage return in a header"),
    pytest.param(get(b"X-A: b\0c"), id="NUL in a header"),
    pytest.param(get(b"X-A: " + b"a" * 70_000), id="long value"),
    pytest.param(get(b"a" * 70_000 + b": b"), id="long name"),
    pytest.param(get(*(b"X-%d: y" % number for number in range(20_000))), id="many headers"),
    pytest.param(get(*(b"X-%d: %s" % (number, b"y" * 8000) for number in range(1000))), id="eight megabytes of headers"),
    pytest.param(get(b"Host: y"), id="two hosts"),
    pytest.param(b"GET /version HTTP/1.1\r\n\r\n", id="no host"),
    pytest.param(get(version=b"HTTP/9.9"), id="version of HTTP"),
    pytest.param(get(target=b"version"), id="relative target"),
    pytest.param(get(target=b"/\xff\xfe"), id="bytes beyond ASCII in the target"),
    pytest.param(get(target=b"https://a:99999999/version"), id="absolute target, port that is none"),
    pytest.param(get(target=b"http://[::1/version"), id="absolute target, address that is none"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), id="HTTP/2, which was not agreed on"),
    pytest.param(post(b"Content-Encoding: deflate", b"Content-Length: 2", body=b"{}"), id="compressed, and it is not"),
    pytest.param(post(b"Content-Encoding: br", b"Content-Length: 2", body=b"{}"), id="compressed as nobody can read"),
])
async def test_what_could_be_read_in_two_ways_is_read_in_none(server: RunningApiserver, sent: bytes) -> None:
    async with line(server) as client:
        await client.send(sent + get())      # were the first one cut short, this would be answered as its remainder

        assert await client.code() in (400, 0)
        await client.ended()


@pytest.mark.parametrize(("sent", "code"), [
    pytest.param(get(target=b"/api/v1/../../etc/passwd"), 404, id="way up"),
    pytest.param(get(target=b"/api/v1/%2e%2e/%2e%2e/etc/passwd"), 404, id="escaped way up"),
    pytest.param(get(target=b"/api/v1/namespaces/default/../kube-system/secrets"), 404, id="way into another namespace"),
    pytest.param(get(target=b"//elsewhere.example.com/version"), 404, id="two slashes"),
    pytest.param(get(target=b"https://elsewhere.example.com/version"), 200, id="absolute target"),
    pytest.param(get(target=MAPS.encode() + b"?labelSelector=%zz%&%=%&"), 400, id="escapes that are none"),
    pytest.param(b"CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="CONNECT"),
    pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="asterisk"),
    pytest.param(post(b"Expect: 200-maybe", b"Content-Length: 2", body=b"{}"), 422, id="unknown expectation"),
    pytest.param(get(b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"), 200, id="upgrade that is not offered"),
    pytest.param(post(CHUNKED, body=b"2;" + b"a" * 200_000 + b"\r\n{}\r\n0\r\n\r\n"), 422, id="long extension of a chunk"),
])
async def test_odd_requests_have_plain_answers(server: RunningApiserver, sent: bytes, code: int) -> None:
    async with line(server) as client:
        await client.send(sent)

        assert await client.code() == code


async def test_many_requests_at_once_on_one_line_are_all_answered(server: RunningApiserver) -> None:
    async with line(server) as client:
        writing = asyncio.create_task(client.send(get() * 2000))
        got = b""
        async with asyncio.timeout(PATIENCE_S * 2):
            while got.count(b"HTTP/1.1 200 OK") < 2000:
                data = await client.reader.read(1 << 20)
                assert data
                got += data
        await writing


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
async def test_a_body_of_a_byte_too_much_is_refused(server: RunningApiserver, chunked: bool) -> None:
    body = b'{"a":"' + b"x" * (3 * 1024 * 1024 + 1 - 8) + b'"}'
    assert len(body) == 3 * 1024 * 1024 + 1
    async with line(server) as client:
        if chunked:
            pieces = (body[at:at + 65536] for at in range(0, len(body), 65536))
            await client.send(post(CHUNKED, body=b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"))
        else:
            await client.send(post(b"Content-Length: %d" % len(body), body=body))

        assert await client.code() == 413


async def test_a_small_body_that_is_large_when_unpacked_is_refused(server: RunningApiserver) -> None:
    bomb = gzip.compress(b'{"data":{"a":"' + b"x" * 100_000_000 + b'"}}')
    async with line(server) as client:
        await client.send(post(b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb), body=bomb))

        assert await client.code() == 413


async def test_a_body_that_comes_slowly_is_no_hurry_for_others(server: RunningApiserver, api: Api) -> None:
    async with contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(line(server)) for _ in range(100)]
        for client in slow:
            await client.send(post(b"Content-Length: 50", body=b"{"))
        for client in slow[:50]:
            await client.send(b" ")

        assert (await api.post(MAPS, config_map("beside-the-slow")))[0] == 201


async def test_half_a_request_and_a_closed_line_are_forgotten(server: RunningApiserver) -> None:
    for cut in (b"GE", get()[:-2], post(b"Content-Length: 50", body=b"{"), post(CHUNKED, body=b"ff\r\n{")):
        async with line(server) as client:
            await client.send(cut)


async def test_a_watch_whose_client_only_closed_its_side_or_died_is_over(server: RunningApiserver) -> None:
    watch = get(target=MAPS.encode() + b"?watch=1&timeoutSeconds=600")
    for _ in range(20):
        async with line(server) as client:
            await client.send(watch)
            assert await client.code() == 200
            client.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)


async def test_who_asks_for_much_and_reads_nothing_holds_up_nobody(server: RunningApiserver, api: Api) -> None:
    for number in range(8):
        assert (await api.post(MAPS, config_map(f"large-{number}", a="x" * 900_000)))[0] == 201
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            client = await stack.enter_async_context(line(server))
            await client.send(get(target=MAPS.encode()) + get(target=MAPS.encode() + b"?watch=1"))

        assert (await api.post(MAPS, config_map("beside-the-mute")))[0] == 201
    for number in range(8):
        await api.delete(f"{MAPS}/large-{number}")


ENV = [{"name": f"E{number}", "value": "x"} for number in range(15_000)]


@pytest.mark.parametrize(("path", "body", "code"), [
    pytest.param("configmaps", {"metadata": {"name": "heavy", "ownerReferences": [
        {"apiVersion": "v1", "kind": "Pod", "name": f"p{number}", "uid": f"u{number}"} for number in range(10_000)]}}, 201, id="owners"),
    pytest.param("configmaps", {"metadata": {"name": "heavy", "finalizers": [
        f"a.b/c{number}" for number in range(60_000)]}}, 413, id="finalizers"),
    pytest.param("configmaps", {"metadata": {"name": "heavy", "labels": {f"-{number}": "-" for number in range(9_000)}}}, 422, id="labels"),
    pytest.param("configmaps", {"metadata": {"name": "heavy"}, "data": {f"/{number}": "" for number in range(40_000)}}, 422, id="keys"),
    pytest.param("pods", {"metadata": {"name": "heavy"}, "spec": {"containers": [
        {"name": f"c{number}", "image": "x"} for number in range(6000)]}}, 413, id="containers"),
    pytest.param("services", {"metadata": {"name": "heavy"}, "spec": {"clusterIP": "None", "ports": [
        {"name": f"p{number}", "port": number + 1} for number in range(10_000)]}}, 413, id="ports"),
])
async def test_objects_of_very_many_parts_are_stored_or_refused(api: Api, path: str, body: dict[str, Any], code: int) -> None:
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})

    answered, status = await api.post(f"/api/v1/namespaces/default/{path}", body)

    assert answered == code, str(status)[:500]
    assert len(str(status)) < 2_000_000
    await api.delete(f"/api/v1/namespaces/default/{path}/heavy")


async def test_a_patch_of_a_list_of_thousands_is_refused_in_time(api: Api) -> None:
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    body = {"metadata": {"name": "many"}, "spec": {"containers": [{"name": "c", "image": "x", "env": ENV}]}}
    assert (await api.post("/api/v1/namespaces/default/pods", body))[0] == 201
    changed = [{**one, "value": "y"} for one in ENV]

    code, status = await api.patch(
        "/api/v1/namespaces/default/pods/many", {"spec": {"containers": [{"name": "c", "env": changed}]}}, STRATEGIC_PATCH)

    assert (code, status["reason"]) == (422, "Invalid")
    await api.delete("/api/v1/namespaces/default/pods/many", gracePeriodSeconds="0")


@pytest.mark.parametrize("upgrade", [
    pytest.param((b"Connection: Upgrade", b"Upgrade: SPDY/3.1"), id="SPDY"),
    pytest.param((b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: x"), id="WebSocket"),
    pytest.param((b"Connection: Upgrade", b"Upgrade: nothing"), id="unknown"),
])
async def test_garbage_after_an_upgrade_ends_that_line_only(server: RunningApiserver, upgrade: tuple[bytes, ...]) -> None:
    async with line(server) as client:
        await client.send(get(*upgrade, target=b"/api/v1/namespaces/default/pods/none/exec?command=x&stdout=1") + os.urandom(4096))

        assert await client.code() in (400, 403, 404)


async def test_bytes_that_are_no_tls_are_hung_up_on(server: RunningApiserver) -> None:
    for port in (server.port, server.grpc_port):
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(2000), b"\x16\x03\x01\xff\xff" + bytes(100)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(garbage)
            writer.write_eof()
            async with asyncio.timeout(PATIENCE_S):
                with contextlib.suppress(ConnectionError):
                    while await reader.read(65536):
                        pass
            writer.close()


async def test_certificates_of_strangers_make_nobody(server: RunningApiserver, tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.support.apiserver_pki import TestPki

    stranger = TestPki(tmp_path_factory.mktemp("stranger")).identity("kubernetes-admin", ["system:masters"])
    context = ssl.create_default_context(cafile=server.pki.ca_file)
    context.load_cert_chain(stranger.cert_file, stranger.key_file)
    for shown, codes in ((context, (401,)), (ssl.create_default_context(cafile=server.pki.ca_file), (401, 403))):
        async with line(server, shown, server_hostname="localhost") as client:
            await client.send(get(target=MAPS.encode()))

            assert await client.code() in codes


@pytest.mark.parametrize("method", ["Get", "Create", "Watch", "DeleteCollection", "NoSuchMethod"])
@pytest.mark.parametrize("message", [b"", b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f", bytes(1000), b"\x0a\x02" * 1000], ids=range(5))
async def test_garbage_over_grpc_is_an_error_of_that_call(server: RunningApiserver, method: str, message: bytes) -> None:
    async with grpc.aio.secure_channel(f"127.0.0.1:{server.grpc_port}", grpc_channel_credentials(server.admin)) as channel:
        call = channel.unary_unary(f"/kube.rpc.v1.ObjectService/{method}", lambda raw: raw, lambda raw: raw)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(message, timeout=PATIENCE_S)

    assert refused.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Of HTTP/2 (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
HEAD = b"\x83\x86\x84\x41\x01x"      # :method POST, :scheme http, :path /, :authority x


@pytest.mark.parametrize("abuse", [
    pytest.param(b"".join(frame(1, 4, 2 * n + 1, HEAD) + frame(3, 0, 2 * n + 1, bytes(4)) for n in range(20_000)), id="rapid reset"),
    pytest.param(b"".join(frame(1, 4, 2 * n + 1, HEAD) for n in range(20_000)), id="many streams"),
    pytest.param(frame(1, 0, 1, HEAD) + frame(9, 0, 1, b"\x00\x01a\x7f\x01" + b"x" * 16000) * 500, id="continuation flood"),
    pytest.param(frame(1, 0, 1, HEAD) + frame(9, 0, 1) * 200_000, id="empty continuations"),
    pytest.param(frame(6, 0, 0, bytes(8)) * 100_000, id="pings"),
    pytest.param(frame(4, 0, 0, b"\0\3\0\0\0\1") * 100_000, id="settings"),
    pytest.param(frame(4, 0, 0, b"\0\4\0\0\0\0") + b"".join(frame(1, 5, 2 * n + 1, HEAD) for n in range(50)), id="closed windows"),
    pytest.param(frame(8, 0, 0, b"\x7f\xff\xff\xff") * 10, id="windows that overflow"),
    pytest.param(frame(1, 4, 1, b"\xff" * 5000), id="headers that are none"),
    pytest.param(os.urandom(100_000), id="noise"),
])
async def test_abuse_of_http2_ends_its_own_connection(server: RunningApiserver, abuse: bytes) -> None:
    context = client_context(server.admin)
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.grpc_port, ssl=context)
    client = Line(reader, writer)
    sending = asyncio.create_task(client.send(PREFACE + abuse))
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(2):      # what it says, if anything, is its own affair
            while await reader.read(65536):
                pass
    writer.transport.abort()
    sending.cancel()
    await asyncio.wait([sending])

    async with grpc.aio.secure_channel(f"127.0.0.1:{server.grpc_port}", grpc_channel_credentials(server.admin)) as channel:
        await asyncio.wait_for(channel.channel_ready(), PATIENCE_S)
