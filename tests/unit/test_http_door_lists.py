"""LISTs told in parts are what they would be as a whole."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web

from control_plane.apiserver import turn
from control_plane.apiserver.http_door import lists
from control_plane.apiserver.http_door.lists import ListAnswer, list_answer, parts
from control_plane.apiserver.negotiation import JSON, PROTOBUF, Representation
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.reader import ListPage
from control_plane.storage.cached_object import CachedObject, encode_value
from kube.apimachinery.codec.protobuf import decode_protobuf, encode_protobuf
from kube.apimachinery.resources import SCHEME
from tests.support.etcd import eventually

PODS = SCHEME.for_path("", "v1", "pods")
assert PODS is not None


class PodsCall:
    resource = PODS


def page(count: int) -> ListPage:
    assert PODS is not None
    items = []
    for number in range(count):
        obj = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": f"p{number}", "labels": {"text": "a\nb"}}, "spec": {}, "status": {}}
        items.append(CachedObject(PODS, f"d/p{number}", encode_value(PODS, obj), number + 1))
    return ListPage(items, 77, "token", 5)


def whole(shown: ListPage) -> dict[str, Any]:
    items = [{"metadata": item.view("v1")["metadata"], "spec": {}, "status": {}} for item in shown.items]
    return {"kind": "PodList", "apiVersion": "v1", "metadata": shown.metadata(), "items": items}


@pytest.mark.parametrize("count", [0, 1, 2, 300])
async def test_every_form_is_that_of_the_whole(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_PART_BYTES", 1000)
    monkeypatch.setattr(turn, "_TURN_S", 0.0)
    shown, call = page(count), cast(Call, PodsCall())

    plain = await list_answer(call, shown, Representation(JSON))
    pretty = await list_answer(call, shown, Representation(JSON, pretty=True))
    binary = await list_answer(call, shown, Representation(PROTOBUF))

    assert json.loads(plain.joined()) == whole(shown)
    assert pretty.joined() == msgspec.json.format(msgspec.json.encode(whole(shown)), indent=2)
    assert decode_protobuf(binary.joined()) == decode_protobuf(encode_protobuf(whole(shown)))
    for answer in (plain, pretty, binary):
        assert b"".join(parts(answer.pieces)) == answer.joined()
        assert answer.content_length == len(answer.joined())


async def test_who_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "STUCK_S", 0.1)
    handlers: list[web.BaseRequest] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        handlers.append(request)
        return ListAnswer([b"x" * 64 * 1024 * 1024], "application/json")

    server = web.Server(handler)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection("127.0.0.1", listening.sockets[0].getsockname()[1])
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await eventually(lambda: bool(handlers) and handlers[0].transport is None)      # the connection is lost
        assert server.connections == []
    finally:
        writer.close()
        listening.close()
        await server.shutdown(0)


def test_a_large_piece_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_PART_BYTES", 10)
    told = list(parts([b"ab", bytes(range(99)), b"cd"]))

    assert b"".join(told) == b"ab" + bytes(range(99)) + b"cd"
    assert max(map(len, told)) <= 10
