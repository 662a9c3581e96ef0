"""HTTP/1.1 over real sockets, against a server that says exactly what the case is about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from kube.client.http_connection import BadAnswer, HttpServer, StaleConnection


@asynccontextmanager
async def server(*connections: Sequence[bytes]) -> AsyncIterator[tuple[HttpServer, list[bytes]]]:
    """Each connection answers its requests in turn, then closes. Yields a client, and the requests as they arrive."""
    waiting, requests = list(connections), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in waiting.pop(0):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            requests.append(head + await reader.readexactly(length))
            writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = HttpServer(f"http://127.0.0.1:{port}/base/")
    try:
        yield client, requests
    finally:
        await client.close()
        listening.close()
        await listening.wait_closed()


async def fetch(client: HttpServer, method: str = "GET", target: str = "/x", body: bytes = b"") -> tuple[int, bytes]:
    async with client.request(method, target, {"Accept": "text/plain"}, body) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize(("raw", "status", "body"), [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", id="length"),
    pytest.param(b"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, b"", id="empty"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nT: 1\r\n\r\n", 200, b"hello", id="chunks"),
    pytest.param(b"HTTP/1.0 200 OK\r\n\r\nto the end", 200, b"to the end", id="until-end"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="interim"),
])
async def test_answers(raw: bytes, status: int, body: bytes) -> None:
    async with server([raw]) as (client, _):
        assert await fetch(client) == (status, body)


async def test_a_request_is_what_it_should_be() -> None:
    async with server([b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"]) as (client, requests):
        await fetch(client, "POST", "/things?a=b", b"body")

    head, _, body = requests[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /base/things?a=b HTTP/1.1"
    assert {"Accept: text/plain", "Content-Length: 4"} <= {*headers}
    assert body == b"body"


async def test_a_connection_is_used_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    async with server([answer + b"1", answer + b"2"]) as (client, _):
        assert [(await fetch(client))[1] for _ in range(2)] == [b"1", b"2"]


async def test_a_get_survives_the_end_of_an_idle_connection() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    async with server([answer + b"1", b""], [answer + b"2"]) as (client, requests):
        assert [(await fetch(client))[1] for _ in range(2)] == [b"1", b"2"]

    assert len(requests) == 3


async def test_a_post_is_not_sent_twice() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
    async with server([answer, b""]) as (client, requests):
        await fetch(client)
        with pytest.raises(StaleConnection):
            await fetch(client, "POST")

    assert len(requests) == 2


async def test_pieces_come_one_by_one_and_an_unread_answer_ends_its_connection() -> None:
    stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n"
    async with server([stream], [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"]) as (client, _):
        async with client.request("GET", "/watch", {}) as answer:
            assert await anext(answer.body) == b"a\n"
        assert await fetch(client) == (200, b"1")


@pytest.mark.parametrize("raw", [
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="not-http"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Len", id="cut-headers"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", id="cut-body"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="no-chunk"),
    pytest.param(b"", id="nothing"),
])
async def test_what_is_no_answer_is_an_error(raw: bytes) -> None:
    async with server([raw]) as (client, _):
        with pytest.raises(BadAnswer):
            await fetch(client)


async def test_a_header_cannot_smuggle_a_line() -> None:
    async with server([]) as (client, _):
        with pytest.raises(ValueError, match="line break"):
            async with client.request("GET", "/x", {"Authorization": "Bearer a\r\nX: y"}):
                raise AssertionError
