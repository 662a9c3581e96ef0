"""SPDY/3.1 frames against bytes written by hand from the draft."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from kube.spdy.frames import (
    MAX_CONTROL,
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Ping,
    ProtocolError,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from kube.spdy.headers import DICTIONARY, MAX_BLOCK

HEADERS = {"streamtype": "stdin", "port": "80"}


def block(headers: dict[str, str]) -> bytes:
    """Uncompressed."""
    plain = struct.pack(">I", len(headers))
    for name, value in headers.items():
        plain += struct.pack(">I", len(name)) + name.encode() + struct.pack(">I", len(value)) + value.encode()
    return plain


def packed(*blocks: bytes) -> list[bytes]:
    """As a Go client packs them: one context, a flush after each block."""
    context = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zdict=DICTIONARY)
    return [context.compress(one) + context.flush(zlib.Z_SYNC_FLUSH) for one in blocks]


def control(kind: int, payload: bytes, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(payload)) + payload


def decoded(data: bytes, decoder: Decoder | None = None) -> list[Frame]:
    return list((decoder or Decoder()).feed(data))


def syn_stream(stream_id: int, packed_headers: bytes, flags: int = 0) -> bytes:
    return control(1, struct.pack(">II", stream_id, 0) + b"\x00\x00" + packed_headers, flags)


def test_the_dictionary_is_the_drafts() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)      # the id that every SPDY/3 stream begins with
    assert DICTIONARY.startswith(b"\0\0\0\x07options\0\0\0\x04head") and DICTIONARY.endswith(b",enq=0.")


@pytest.mark.parametrize(("data", "frame"), [
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00\x03abc", Data(1, b"abc"), id="data"),
    pytest.param(b"\x00\x00\x00\x05\x01\x00\x00\x00", Data(5, b"", fin=True), id="half-close"),
    pytest.param(b"\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x07\x00\x00\x00\x05", RstStream(7, 5), id="reset"),
    pytest.param(b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x09", Ping(9), id="ping"),
    pytest.param(b"\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x00", GoAway(3, 0), id="goaway"),
    pytest.param(b"\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x00\x00\x01\x00\x00", WindowUpdate(0, 65536), id="window"),
    pytest.param(
        b"\x80\x03\x00\x04\x01\x00\x00\x0c\x00\x00\x00\x01\x01\x00\x00\x07\x00\x02\x00\x00", Settings(131072), id="settings"),
])
def test_frames_by_hand(data: bytes, frame: Frame) -> None:
    assert decoded(data) == [frame]
    if not isinstance(frame, Settings):      # ours carry no flags
        assert Encoder().encode(frame) == data


def test_headers_share_one_compression_context() -> None:
    first, second = packed(block(HEADERS), block(HEADERS))

    frames = decoded(syn_stream(1, first) + syn_stream(3, second, flags=1))

    assert frames == [SynStream(1, HEADERS), SynStream(3, HEADERS, fin=True)]
    assert len(second) < len(first)


def test_what_we_write_can_be_read() -> None:
    encoder, decoder = Encoder(), Decoder()
    frames: list[Frame] = [SynReply(1), SynStream(3, HEADERS), SynReply(3, {"x": "y"}, fin=True), Settings(1000), Settings(None)]

    assert [one for frame in frames for one in decoded(encoder.encode(frame), decoder)] == frames


def test_a_client_of_another_zlib_window_is_understood() -> None:
    context = zlib.compressobj(1, zlib.DEFLATED, 9, 1, zdict=DICTIONARY)
    data = context.compress(block(HEADERS)) + context.flush(zlib.Z_SYNC_FLUSH)

    assert decoded(syn_stream(1, data)) == [SynStream(1, HEADERS)]


def test_frames_come_in_any_pieces() -> None:
    (headers,) = packed(block(HEADERS))
    whole = syn_stream(1, headers) + b"\x00\x00\x00\x01\x01\x00\x00\x05hello" + control(6, b"\0\0\0\1")
    decoder = Decoder()

    frames = [frame for byte in whole for frame in decoded(bytes((byte,)), decoder)]

    assert frames[0] == SynStream(1, HEADERS)
    pieces = [frame for frame in frames if isinstance(frame, Data)]
    assert b"".join(piece.data for piece in pieces) == b"hello"
    assert [piece.fin for piece in pieces] == [False] * 4 + [True]
    assert frames[-1] == Ping(1)


def test_a_long_data_frame_is_not_waited_for() -> None:
    decoder = Decoder()

    assert decoded(struct.pack(">II", 1, 0xFFFFFF) + bytes(1000), decoder) == [Data(1, bytes(1000))]


def test_unknown_control_frames_are_passed_over() -> None:
    assert decoded(control(11, b"credential") + control(6, b"\0\0\0\1")) == [Ping(1)]


@pytest.mark.parametrize(("data", "problem"), [
    pytest.param(b"GET / HTTP/1.1\r\n\r\n" + bytes(1 << 20), "", id="HTTP is data of a stream that nobody opened"),
    pytest.param(control(6, b"\0\0\0\1", version=2), "SPDY version: must be 3, got 2", id="another version"),
    pytest.param(b"\0\0\0\0\0\0\0\0", "data frame of stream 0", id="stream 0"),
    pytest.param(control(3, b"\0\0\0\1"), "RST_STREAM of 4 bytes", id="too short"),
    pytest.param(control(6, b"\0\0\0\1\0"), "PING of 5 bytes", id="too long"),
    pytest.param(control(4, struct.pack(">I", 2) + bytes(8)), "SETTINGS of 12 bytes cannot hold 2", id="settings"),
    pytest.param(struct.pack(">HHI", 0x8003, 1, MAX_CONTROL + 1), "control frame: must have at most", id="long control frame"),
    pytest.param(syn_stream(1, b"no zlib"), "header block: Error", id="not compressed"),
    pytest.param(syn_stream(1, packed(block({"A": "b"}))[0]), "header name: must be lower case", id="upper case"),
    pytest.param(syn_stream(1, packed(struct.pack(">I", 2) + block({"a": "b"})[4:] * 2)[0]), "header 'a' comes twice", id="twice"),
    pytest.param(syn_stream(1, packed(block(HEADERS)[:-1])[0]), "header block: ends too early", id="cut block"),
    pytest.param(syn_stream(1, packed(block(HEADERS) + b"x")[0]), "header block: bytes after", id="long block"),
    pytest.param(syn_stream(1, packed(struct.pack(">II", 1, 0xFFFFFFFF))[0]), "ends too early", id="a name of 4 GB"),
    pytest.param(syn_stream(1, packed(block({"a": "b" * MAX_BLOCK}))[0]), "header block: must be below", id="a small bomb"),
])
def test_what_is_no_spdy_is_refused(data: bytes, problem: str) -> None:
    if not problem:
        assert all(isinstance(frame, Data) for frame in decoded(data))
        return
    with pytest.raises(ProtocolError, match=problem):
        decoded(data)


def test_noise_ends_in_frames_or_in_a_protocol_error() -> None:
    source = random.Random(1)
    (headers,) = packed(block(HEADERS))
    settings, window = control(4, struct.pack(">III", 1, 7, 9)), control(9, bytes(8))
    valid = syn_stream(1, headers) + b"\x00\x00\x00\x01\x01\x00\x00\x05hello" + settings + window
    for _ in range(3000):
        damaged = bytearray(valid)
        for _ in range(source.randint(1, 6)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        data = bytes(damaged) if source.random() < 0.8 else source.randbytes(200)
        try:
            decoded(data)
        except ProtocolError:
            continue
