"""An object that cannot be read does not end those who follow its kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from kube.api.core_v1 import ConfigMap
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.informer import InformerFactory
from kube.client.transport import EventType, ListQuery, Location, Page, RawEvent, WatchQuery
from tests.support.controllers import eventually
from tests.support.memory_transport import MemoryTransport


def named(name: bytes) -> bytes:
    return b'{"metadata":{"namespace":"d","name":"' + name + b'","resourceVersion":"1"}}'


class Odd(MemoryTransport):
    """Lists and then tells of something odd, and of a good object after it."""

    def __init__(self, odd: bytes) -> None:
        super().__init__()
        self._odd = odd

    async def list(self, at: Location, query: ListQuery) -> Page:
        return Page([self._odd, named(b"listed")], "1", "", 0)

    async def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        yield [RawEvent(EventType.ADDED, self._odd), RawEvent(EventType.ADDED, named(b"told"))]
        await asyncio.Event().wait()


@pytest.mark.parametrize("odd", [
    pytest.param(named(b"\xff"), id="no UTF-8"),
    pytest.param(named(b"\\ud800"), id="half a surrogate"),
    pytest.param(b'{"metadata":5}', id="no metadata"),
    pytest.param(b'{"metadata":{"name":null},"data":[\xff]}', id="nulls, and no JSON"),
    pytest.param(b"{", id="cut"),
])
async def test_what_cannot_be_read_is_skipped(odd: bytes) -> None:
    async with InformerFactory(Client(Odd(odd))) as informers:
        maps = informers.informer(ConfigMap)
        await informers.start()

        async def held() -> bool:
            return all(maps.get(NamespacedName("d", name)) is not None for name in ("listed", "told"))

        await eventually(held, within_s=60, what="the good ones are held")
        assert len(maps.store.list()) == 2
