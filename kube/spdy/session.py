"""A SPDY/3.1 session, the server's side: the peer opens streams, both ends read, write and half-close them.

    session = Session(pipe, accept)        # accept(stream) is called for each stream; Refused tears it down
    await session.serve()                  # reads until the peer is gone; streams are used by other tasks meanwhile

Flow control. The draft gives each stream and the session a window of 64 KiB. moby/spdystream, kubectl's side, has none: it never sends
WINDOW_UPDATE and passes over those that come. To wait for its updates would be to wait for ever after 64 KiB, and to send it ours would
fill its queues. So windows count for a peer that shows that it knows them, by SETTINGS or WINDOW_UPDATE. With every peer there is what
bounds spdystream, too: who does not read a stream stops the reading of the whole connection, once a little is kept (STREAM_KEEPS,
SESSION_KEEPS).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from kube.spdy.frames import (
    MAX_STREAM_ID,
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Going,
    Ping,
    ProtocolError,
    Reset,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)

WINDOW: Final = 64 * 1024
STREAM_KEEPS: Final = 256 * 1024
SESSION_KEEPS: Final = 4 * 1024 * 1024
MAX_STREAMS: Final = 1000           # open at once
_CREDIT: Final = WINDOW // 2        # a peer's window is filled up again after so many bytes
_MAX_DATA: Final = (1 << 24) - 1


class Pipe(Protocol):
    """What a session runs over: an upgraded connection, or binary messages of a WebSocket."""

    async def read(self) -> bytes:
        """What has come; b"" at the end."""

    async def write(self, data: bytes) -> None:
        """Returns when there is room for more. Writers do not mix their bytes. Raises ConnectionError."""


class Refused(Exception):
    """By `accept`: the stream is reset, not answered."""


class StreamClosed(ConnectionError):
    """Nothing can be written: the stream was reset or closed, or the session has ended."""


class Stream:
    def __init__(self, session: Session, frame: SynStream) -> None:
        self._session = session
        self.stream_id = frame.stream_id
        self.headers = frame.headers
        self.was_reset = False          # by the peer or with the session; reading then ends as it does at the end
        self._pieces: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._can_read, self._can_write = not frame.fin, True
        self._send_window = session.initial_window
        self._owed = 0                  # bytes taken that the peer's window is not credited with
        self.kept = 0

    async def read(self) -> bytes:
        """What has come; b"" when the peer has closed its half or is gone."""
        while not self._pieces:
            if not self._can_read:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        data = self._pieces.popleft()
        self._owed += len(data)
        self._session._taken(self, len(data))
        await self._credit()
        return data

    async def write(self, data: bytes) -> None:
        """Returns when there is room for more. Raises StreamClosed, ConnectionError."""
        at = 0
        while at < len(data):
            count = min(len(data) - at, _MAX_DATA)
            if self._session.has_windows:
                count = min(count, await self._room())
            if not self._can_write:
                raise StreamClosed(f"stream {self.stream_id} is closed")
            self._send_window -= count
            self._session.send_window -= count
            await self._session.send(Data(self.stream_id, data[at : at + count] if count < len(data) else data))
            at += count

    async def close(self) -> None:
        """Closes our half: the peer reads on to the end. Closed or reset before is no error."""
        if self._can_write:
            self._can_write = False
            self._session._settle(self)
            await self._session.send(Data(self.stream_id, b"", fin=True))

    async def reset(self, status: Reset = Reset.CANCEL) -> None:
        if self._can_read or self._can_write:
            self._end()
            await self._session.send(RstStream(self.stream_id, status))

    async def _room(self) -> int:
        while self._can_write and (room := min(self._send_window, self._session.send_window)) <= 0:
            self._writable.clear()
            await self._writable.wait()
        return max(room, 1) if self._can_write else 1

    async def _credit(self, *, at_least: int = _CREDIT) -> None:
        if self._session.has_windows and self._owed >= at_least and self._can_read:
            owed, self._owed = self._owed, 0
            await self._session.send(WindowUpdate(self.stream_id, owed))

    def _arrive(self, data: bytes, *, fin: bool) -> None:
        if data:
            self._pieces.append(data)
            self.kept += len(data)
        if fin:
            self._can_read = False
            self._session._settle(self)
        self._arrived.set()

    def _end(self) -> None:
        self.was_reset = self.was_reset or self._can_read or self._can_write
        self._can_read = self._can_write = False
        self._session._taken(self, self.kept)
        self._pieces.clear()
        self._session._settle(self)
        self._arrived.set()
        self._writable.set()

    @property
    def is_over(self) -> bool:
        return not (self._can_read or self._can_write)


class Session:
    def __init__(self, pipe: Pipe, accept: Callable[[Stream], None]) -> None:
        self._pipe = pipe
        self._accept = accept
        self._encoder, self._decoder = Encoder(), Decoder()
        self._streams: dict[int, Stream] = {}
        self._last_id = 0
        self._kept = 0
        self._room = asyncio.Event()
        self._owed = 0
        self._going = False             # a GOAWAY was sent or has come
        self._next_ping = 2
        self.has_windows = False
        self.initial_window = self.send_window = WINDOW
        self.ended = asyncio.Event()

    async def serve(self) -> None:
        """Until the peer is gone, says goodbye with no stream open, or breaks the protocol. Streams then end, too."""
        try:
            while not self.ended.is_set() and (data := await self._pipe.read()):
                for frame in self._decoder.feed(data):
                    await self._handle(frame)
        except ProtocolError:
            await self._say_goodbye(Going.PROTOCOL_ERROR)
        except ConnectionError:
            pass
        finally:
            self._finish()

    async def close(self) -> None:
        """Resets what is open and says goodbye. `serve` goes on until the peer has hung up."""
        for stream in list(self._streams.values()):
            await stream.reset()
        await self._say_goodbye(Going.OK)

    async def ping(self) -> None:
        """So that a peer which is gone is found out: its kernel answers what comes for a closed connection. Nobody waits for the answer."""
        await self.send(Ping(self._next_ping))
        self._next_ping += 2

    async def send(self, frame: Frame) -> None:
        if self.ended.is_set():
            raise StreamClosed("the session has ended")
        await self._pipe.write(self._encoder.encode(frame))

    async def _say_goodbye(self, status: Going) -> None:
        if not self._going:
            self._going = True
            with suppress(ConnectionError):
                await self.send(GoAway(self._last_id, status))

    def _finish(self) -> None:
        self.ended.set()
        for stream in list(self._streams.values()):
            stream._end()
        self._room.set()

    async def _handle(self, frame: Frame) -> None:
        match frame:
            case Data():
                await self._data(frame)
            case SynStream():
                await self._open(frame)
            case RstStream(stream_id, _):
                if stream := self._streams.get(stream_id):
                    stream._end()
            case Ping(ping_id):
                if ping_id % 2:         # even ones are answers to ours
                    await self.send(frame)
            case GoAway():
                self._going = True
            case WindowUpdate() | Settings():
                await self._windows(frame)
            case _:
                pass                    # SYN_REPLY: we open no streams; HEADERS: nothing here reads them
        if self._going and not self._streams:
            self.ended.set()

    async def _open(self, frame: SynStream) -> None:
        if self._going:
            return
        if frame.stream_id <= self._last_id or not frame.stream_id % 2:
            # Old clients send two SYN_STREAMs in the wrong order when two threads open streams: as upstream, only that one is lost.
            await self.send(RstStream(frame.stream_id, Reset.PROTOCOL_ERROR))
            return
        self._last_id = frame.stream_id
        if len(self._streams) >= MAX_STREAMS:
            await self.send(RstStream(frame.stream_id, Reset.REFUSED_STREAM))
            return
        stream = self._streams[frame.stream_id] = Stream(self, frame)
        # The answer first: what comes before it is dropped over there. Nothing else runs between the two.
        try:
            self._accept(stream)
        except Refused:
            await stream.reset()
        else:
            await self.send(SynReply(frame.stream_id))

    async def _data(self, frame: Data) -> None:
        self._owed += len(frame.data)
        if self.has_windows and self._owed >= _CREDIT:
            owed, self._owed = self._owed, 0
            await self.send(WindowUpdate(0, owed))
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            if frame.stream_id > self._last_id:
                await self.send(RstStream(frame.stream_id, Reset.INVALID_STREAM))
            return                      # else on its way when the stream was closed
        if not stream._can_read:
            await self.send(RstStream(frame.stream_id, Reset.STREAM_ALREADY_CLOSED))
            return
        self._kept += len(frame.data)
        stream._arrive(frame.data, fin=frame.fin)
        while (stream.kept > STREAM_KEEPS or self._kept > SESSION_KEEPS) and not self.ended.is_set():
            self._room.clear()
            await self._room.wait()

    async def _windows(self, frame: WindowUpdate | Settings) -> None:
        if isinstance(frame, Settings):
            self._begin_with(frame.initial_window)
        elif frame.stream_id == 0:
            self.send_window += frame.delta
            if self.send_window > MAX_STREAM_ID or not frame.delta:
                raise ProtocolError("WINDOW_UPDATE that no window takes")
        elif widened := self._streams.get(frame.stream_id):
            widened._send_window += frame.delta
            if widened._send_window > MAX_STREAM_ID or not frame.delta:
                await widened.reset(Reset.FLOW_CONTROL_ERROR)
        if not self.has_windows:
            self.has_windows = True     # what was taken so far is credited now, so that nobody waits for it
            if self._owed:
                owed, self._owed = self._owed, 0
                await self.send(WindowUpdate(0, owed))
            for stream in list(self._streams.values()):
                await stream._credit(at_least=1)
        for stream in self._streams.values():
            stream._writable.set()

    def _begin_with(self, window: int | None) -> None:
        if window is None:
            return
        if window > MAX_STREAM_ID:
            raise ProtocolError(f"initial window of {window} bytes")
        for stream in self._streams.values():
            stream._send_window += window - self.initial_window
        self.initial_window = window

    def _taken(self, stream: Stream, count: int) -> None:
        stream.kept -= count
        self._kept -= count
        self._room.set()

    def _settle(self, stream: Stream) -> None:
        """Forgets a stream that is closed both ways; what has come for it can still be read."""
        if stream.is_over:
            self._streams.pop(stream.stream_id, None)
