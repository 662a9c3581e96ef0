"""Frames of SPDY/3.1 <-> bytes. Pure. Follows the draft (spdy-protocol-draft3-1), sections 2.2 and 2.6.

    control  | 1 | version 3 (15 bits) | type (16) | flags (8) | length (24) | ...
    data     | 0 | stream id (31 bits)             | flags (8) | length (24) | bytes

Data frames are handed on in pieces as they come, so that nobody's frame length decides about our memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from kube.spdy.headers import HeaderError, HeaderPacker, HeaderUnpacker

VERSION: Final = 3
FIN: Final = 1
MAX_STREAM_ID: Final = (1 << 31) - 1
MAX_CONTROL: Final = 64 * 1024      # of a control frame's payload
_HEADER: Final = struct.Struct(">II")
_ONE: Final = struct.Struct(">I")
_TWO: Final = struct.Struct(">II")
_INITIAL_WINDOW: Final = 7          # id of the setting


class Kind(IntEnum):
    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class Reset(IntEnum):
    """Why a stream is torn down."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5
    INTERNAL_ERROR = 6
    FLOW_CONTROL_ERROR = 7
    STREAM_ALREADY_CLOSED = 9


class Going(IntEnum):
    """Why a session ends."""

    OK = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


class ProtocolError(Exception):
    """What came is no SPDY/3.1: the session cannot go on."""


@dataclass(frozen=True, slots=True)
class SynStream:
    stream_id: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class SynReply:
    stream_id: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class MoreHeaders:
    """HEADERS: nobody in Kubernetes sends them."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class RstStream:
    stream_id: int
    status: int


@dataclass(frozen=True, slots=True)
class Settings:
    initial_window: int | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    ping_id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_good_stream_id: int
    status: int = Going.OK


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    stream_id: int                  # 0: the whole session
    delta: int


@dataclass(frozen=True, slots=True)
class Data:
    """A data frame or a piece of one; `fin` is with the last piece."""

    stream_id: int
    data: bytes
    fin: bool = False


Frame = SynStream | SynReply | MoreHeaders | RstStream | Settings | Ping | GoAway | WindowUpdate | Data


class Encoder:
    """Of one connection: it holds the compression of outgoing headers."""

    def __init__(self) -> None:
        self._headers = HeaderPacker()

    def encode(self, frame: Frame) -> bytes:
        match frame:
            case Data(stream_id, data, fin):
                return _HEADER.pack(stream_id, (FIN << 24 if fin else 0) | len(data)) + data
            case SynStream(stream_id, headers, fin):
                return _control(Kind.SYN_STREAM, _TWO.pack(stream_id, 0) + b"\0\0" + self._headers.pack(headers), fin=fin)
            case SynReply(stream_id, headers, fin):
                return _control(Kind.SYN_REPLY, _ONE.pack(stream_id) + self._headers.pack(headers), fin=fin)
            case MoreHeaders(stream_id, headers, fin):
                return _control(Kind.HEADERS, _ONE.pack(stream_id) + self._headers.pack(headers), fin=fin)
            case RstStream(stream_id, status):
                return _control(Kind.RST_STREAM, _TWO.pack(stream_id, status))
            case Settings(None):
                return _control(Kind.SETTINGS, _ONE.pack(0))
            case Settings(int(window)):
                return _control(Kind.SETTINGS, _ONE.pack(1) + _TWO.pack(_INITIAL_WINDOW, window))
            case Ping(ping_id):
                return _control(Kind.PING, _ONE.pack(ping_id))
            case GoAway(last, status):
                return _control(Kind.GOAWAY, _TWO.pack(last, status))
            case WindowUpdate(stream_id, delta):
                return _control(Kind.WINDOW_UPDATE, _TWO.pack(stream_id, delta))
        raise TypeError(f"not a frame: {frame!r}")


def _control(kind: Kind, payload: bytes, *, fin: bool = False) -> bytes:
    return _HEADER.pack(1 << 31 | VERSION << 16 | kind, (FIN << 24 if fin else 0) | len(payload)) + payload


class Decoder:
    """Of one connection: bytes in whatever pieces, frames out."""

    def __init__(self) -> None:
        self._headers = HeaderUnpacker()
        self._buffer = bytearray()
        self._data_of = 0           # within a data frame: its stream,
        self._data_left = 0         # the bytes that are to come,
        self._data_fin = False      # and whether they are the stream's last

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises ProtocolError. The frames must be taken before more is fed."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        while True:
            if self._data_left:
                return self._piece() if self._buffer else None
            if len(self._buffer) < _HEADER.size:
                return None
            first, second = _HEADER.unpack_from(self._buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if first >> 31:
                if length > MAX_CONTROL:
                    raise ProtocolError(f"control frame: must have at most {MAX_CONTROL} bytes, has {length}")
                if len(self._buffer) < _HEADER.size + length:
                    return None
                payload = self._take(_HEADER.size + length)[_HEADER.size :]
                if (frame := self._control(first >> 16 & 0x7FFF, first & 0xFFFF, flags, payload)) is not None:
                    return frame
                continue
            self._take(_HEADER.size)
            if not first:
                raise ProtocolError("data frame of stream 0")
            self._data_of, self._data_left, self._data_fin = first, length, bool(flags & FIN)
            if not length:
                return Data(first, b"", self._data_fin)

    def _piece(self) -> Data:
        data = self._take(min(self._data_left, len(self._buffer)))
        self._data_left -= len(data)
        return Data(self._data_of, data, self._data_fin and not self._data_left)

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:count])
        del self._buffer[:count]
        return taken

    def _control(self, version: int, kind: int, flags: int, payload: bytes) -> Frame | None:
        """None for a kind that nobody has defined: to be passed over, says the draft."""
        if version != VERSION:
            raise ProtocolError(f"SPDY version: must be {VERSION}, got {version}")
        try:
            match kind:
                case Kind.SYN_STREAM:
                    return SynStream(_stream_id(payload), self._headers.unpack(payload[10:]), bool(flags & FIN))
                case Kind.SYN_REPLY:
                    return SynReply(_stream_id(payload), self._headers.unpack(payload[4:]), bool(flags & FIN))
                case Kind.HEADERS:
                    return MoreHeaders(_stream_id(payload), self._headers.unpack(payload[4:]), bool(flags & FIN))
                case Kind.RST_STREAM:
                    return RstStream(_stream_id(payload), _two(payload)[1])
                case Kind.SETTINGS:
                    return _settings(payload)
                case Kind.PING:
                    return Ping(_ONE.unpack(payload)[0])
                case Kind.GOAWAY:
                    return GoAway(*_two(payload))
                case Kind.WINDOW_UPDATE:
                    stream_id, delta = _two(payload)
                    return WindowUpdate(stream_id & MAX_STREAM_ID, delta & MAX_STREAM_ID)
        except HeaderError as error:
            raise ProtocolError(str(error)) from error
        except struct.error as error:
            raise ProtocolError(f"{Kind(kind).name} of {len(payload)} bytes") from error
        return None


def _stream_id(payload: bytes) -> int:
    stream_id = _ONE.unpack_from(payload)[0] & MAX_STREAM_ID
    if not stream_id:
        raise ProtocolError("a control frame of stream 0")
    return int(stream_id)


def _two(payload: bytes) -> tuple[int, int]:
    first, second = _TWO.unpack(payload)
    return first & MAX_STREAM_ID, second


def _settings(payload: bytes) -> Settings:
    (count,) = _ONE.unpack_from(payload)
    if len(payload) != _ONE.size + count * _TWO.size:
        raise ProtocolError(f"SETTINGS of {len(payload)} bytes cannot hold {count} settings")
    window = None
    for first, value in _TWO.iter_unpack(payload[_ONE.size :]):
        if first & 0xFFFFFF == _INITIAL_WINDOW:
            window = value
    return Settings(window)
