"""Protobuf's wire format: tags, varints, lengths. Knows no message."""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, DELIMITED, START_GROUP, END_GROUP, FIXED32 = range(6)
MASK64 = (1 << 64) - 1


_LENGTHS = tuple(bytes((length,)) for length in range(0x80))


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def write_varint(value: int) -> bytes:
    """Negative numbers take ten bytes, as int32 and int64 fields do."""
    if 0 <= value < 0x80:
        return _LENGTHS[value]
    value &= MASK64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited_tag(number: int) -> bytes:
    return write_varint(number << 3 | DELIMITED)


def delimited(tag: bytes, payload: bytes) -> bytes:
    """As write_delimited, for a tag that is known."""
    size = len(payload)
    return tag + (_LENGTHS[size] if size < 0x80 else write_varint(size)) + payload


def write_delimited(number: int, payload: bytes) -> bytes:
    return write_varint(number << 3 | DELIMITED) + write_varint(len(payload)) + payload


def write_number(number: int, value: int) -> bytes:
    return write_varint(number << 3 | VARINT) + write_varint(value)


def write_double(number: int, value: float) -> bytes:
    return write_varint(number << 3 | FIXED64) + struct.pack("<d", value)


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number and where it ends."""
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise WireError("unexpected EOF")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & MASK64, position
        shift += 7


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def read_fields(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Each field as (number, wire type, value of a varint, payload of everything else)."""
    position, end = 0, len(data)
    while position < end:
        tag = data[position]
        if tag < 0x80:
            position += 1
        else:
            tag, position = read_varint(data, position)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise WireError("illegal tag 0")
        value, size = 0, 0
        if wire == VARINT:
            value, position = read_varint(data, position)
        elif wire == DELIMITED:
            size, position = read_varint(data, position)
        elif wire == FIXED64:
            size = 8
        elif wire == FIXED32:
            size = 4
        else:
            raise WireError(f"illegal wireType {wire}")
        if size > end - position:
            raise WireError("unexpected EOF")
        yield number, wire, value, data[position:position + size]
        position += size
