"""A SPDY session over a pipe in memory: streams, half-closes, windows, and peers that behave badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kube.spdy import session as module
from kube.spdy.frames import Data, Decoder, Encoder, Frame, GoAway, Ping, Reset, RstStream, Settings, SynReply, SynStream, WindowUpdate
from kube.spdy.session import STREAM_KEEPS, WINDOW, Refused, Session, Stream, StreamClosed


class Peer:
    """The client, and the pipe between the two."""

    def __init__(self) -> None:
        self._encoder, self._decoder = Encoder(), Decoder()
        self._to_session: asyncio.Queue[bytes] = asyncio.Queue()
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.session = Session(self, self._accept)
        self.accepted: list[Stream] = []
        self.refuses = False
        self.taken = 0

    def _accept(self, stream: Stream) -> None:
        if self.refuses:
            raise Refused
        self.accepted.append(stream)

    async def read(self) -> bytes:
        data = await self._to_session.get()
        self.taken += len(data)
        return data

    async def write(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self._frames.put_nowait(frame)

    def says(self, *frames: Frame | bytes) -> None:
        for frame in frames:
            self._to_session.put_nowait(frame if isinstance(frame, bytes) else self._encoder.encode(frame))

    def hangs_up(self) -> None:
        self._to_session.put_nowait(b"")

    async def hears(self) -> Frame:
        async with asyncio.timeout(60):
            return await self._frames.get()

    async def opens(self, stream_id: int = 1, **headers: str) -> Stream:
        self.says(SynStream(stream_id, headers))
        assert await self.hears() == SynReply(stream_id)
        return self.accepted[-1]

    def heard_nothing(self) -> bool:
        return self._frames.empty()


@asynccontextmanager
async def connected() -> AsyncIterator[Peer]:
    peer = Peer()
    serving = asyncio.create_task(peer.session.serve())
    try:
        yield peer
    finally:
        peer.hangs_up()
        async with asyncio.timeout(60):
            await serving


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_both_halves_of_a_stream_end_for_themselves() -> None:
    async with connected() as peer:
        stream = await peer.opens(streamtype="data", port="80")
        assert stream.headers == {"streamtype": "data", "port": "80"}

        peer.says(Data(1, b"question"), Data(1, b"", fin=True))
        assert [await stream.read(), await stream.read(), stream.was_reset] == [b"question", b"", False]
        await stream.write(b"answer")
        await stream.close()

        assert [await peer.hears(), await peer.hears()] == [Data(1, b"answer"), Data(1, b"", fin=True)]
        with pytest.raises(StreamClosed):
            await stream.write(b"more")


async def test_what_came_before_the_end_can_still_be_read() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        await stream.close()
        peer.says(Data(1, b"a"), Data(1, b"b", fin=True))
        await settled()

        assert [await stream.read() for _ in range(3)] == [b"a", b"b", b""]


async def test_a_reset_ends_reading_and_writing() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        reading = asyncio.create_task(stream.read())
        peer.says(RstStream(1, Reset.CANCEL))

        assert (await reading, stream.was_reset) == (b"", True)
        with pytest.raises(StreamClosed):
            await stream.write(b"x")


async def test_the_end_of_the_connection_ends_the_streams() -> None:
    async with connected() as peer:
        stream = await peer.opens()

    assert (await stream.read(), stream.was_reset, peer.session.ended.is_set()) == (b"", True, True)
    with pytest.raises(StreamClosed):
        await stream.write(b"x")


async def test_refused_streams_are_reset() -> None:
    async with connected() as peer:
        peer.refuses = True
        peer.says(SynStream(1, {}))

        assert await peer.hears() == RstStream(1, Reset.CANCEL)


@pytest.mark.parametrize(("second", "answer"), [
    pytest.param(SynStream(3, {}), RstStream(3, Reset.PROTOCOL_ERROR), id="same id"),
    pytest.param(SynStream(1, {}), RstStream(1, Reset.PROTOCOL_ERROR), id="lower id"),
    pytest.param(SynStream(4, {}), RstStream(4, Reset.PROTOCOL_ERROR), id="a server's id"),
    pytest.param(Data(9, b"x"), RstStream(9, Reset.INVALID_STREAM), id="data without a stream"),
    pytest.param(Ping(7), Ping(7), id="ping"),
])
async def test_answers_to_single_frames(second: Frame, answer: Frame) -> None:
    async with connected() as peer:
        await peer.opens(3)
        peer.says(second)

        assert await peer.hears() == answer


async def test_data_after_the_end_of_a_half_is_refused() -> None:
    async with connected() as peer:
        await peer.opens()
        peer.says(Data(1, b"", fin=True), Data(1, b"more"))

        assert await peer.hears() == RstStream(1, Reset.STREAM_ALREADY_CLOSED)


async def test_data_on_its_way_to_a_stream_that_was_reset_is_dropped() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        await stream.reset()
        assert await peer.hears() == RstStream(1, Reset.CANCEL)
        peer.says(Data(1, b"late"), Ping(1))

        assert await peer.hears() == Ping(1)


async def test_a_stream_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STREAMS", 2)
    async with connected() as peer:
        first = await peer.opens(1)
        await peer.opens(3)
        peer.says(SynStream(5, {}))
        assert await peer.hears() == RstStream(5, Reset.REFUSED_STREAM)

        await first.reset()
        assert await peer.hears() == RstStream(1, Reset.CANCEL)
        await peer.opens(7)


async def test_what_is_no_spdy_ends_the_session() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        peer.says(b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01")

        assert await peer.hears() == GoAway(1, 1)
        assert (await stream.read(), peer.session.ended.is_set()) == (b"", True)


async def test_goodbye_is_said_once_with_every_stream_torn_down() -> None:
    async with connected() as peer:
        await peer.opens()
        await peer.session.close()
        await peer.session.close()

        assert [await peer.hears(), await peer.hears()] == [RstStream(1, Reset.CANCEL), GoAway(1, 0)]
        assert peer.heard_nothing()


async def test_a_peer_that_says_goodbye_may_finish_its_streams() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        peer.says(GoAway(0), SynStream(3, {}), Data(1, b"rest", fin=True))

        assert await stream.read() == b"rest"
        assert not peer.session.ended.is_set()
        await stream.close()
        peer.says(Ping(1))
        await peer.session.ended.wait()


async def test_nothing_more_is_read_while_a_stream_is_full() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        before, piece = peer.taken, 32 * 1024
        for _ in range(100):
            peer.says(Data(1, bytes(piece)))
        await settled()
        assert peer.taken - before <= STREAM_KEEPS + 2 * (piece + 8)

        total = 0
        while total < 100 * piece:
            total += len(await stream.read())
        assert stream.kept == 0


async def test_a_full_stream_that_is_reset_holds_nobody_up() -> None:
    async with connected() as peer:
        full, other = await peer.opens(1), await peer.opens(3)
        peer.says(*[Data(1, bytes(100_000)) for _ in range(5)], Data(3, b"x"))
        await settled()

        await full.reset()

        assert await other.read() == b"x"


async def test_clients_without_flow_control_get_everything_at_once() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        await stream.write(bytes(10 * WINDOW))

        assert await peer.hears() == Data(1, bytes(10 * WINDOW))


async def test_windows_count_for_clients_that_know_them() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        peer.says(Settings(1000), Ping(1))
        assert await peer.hears() == Ping(1)
        writing = asyncio.create_task(stream.write(bytes(2500)))
        assert await peer.hears() == Data(1, bytes(1000))
        await settled()
        assert peer.heard_nothing()

        peer.says(WindowUpdate(1, 500))
        assert await peer.hears() == Data(1, bytes(500))
        peer.says(WindowUpdate(1, 5000))
        assert await peer.hears() == Data(1, bytes(1000))
        await writing


async def test_the_session_has_a_window_of_its_own() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        peer.says(WindowUpdate(1, 1 << 20), Ping(1))
        assert await peer.hears() == Ping(1)
        writing = asyncio.create_task(stream.write(bytes(WINDOW + 1)))
        assert await peer.hears() == Data(1, bytes(WINDOW))
        await settled()
        assert peer.heard_nothing()

        peer.says(WindowUpdate(0, 1))
        assert await peer.hears() == Data(1, bytes(1))
        await writing


async def test_a_client_with_windows_gets_credit_for_what_was_taken() -> None:
    async with connected() as peer:
        stream = await peer.opens()
        peer.says(Data(1, bytes(1000)))
        await stream.read()
        peer.says(Settings(None))
        assert [await peer.hears(), await peer.hears()] == [WindowUpdate(0, 1000), WindowUpdate(1, 1000)]

        peer.says(Data(1, bytes(WINDOW - 1000)))
        assert await peer.hears() == WindowUpdate(0, WINDOW - 1000)
        await stream.read()
        assert await peer.hears() == WindowUpdate(1, WINDOW - 1000)


@pytest.mark.parametrize("delta", [0, (1 << 31) - 1])
async def test_windows_that_cannot_be_tear_the_stream_down(delta: int) -> None:
    async with connected() as peer:
        await peer.opens()
        peer.says(WindowUpdate(1, delta))

        assert await peer.hears() == RstStream(1, Reset.FLOW_CONTROL_ERROR)
