"""NaCl's secretbox (XSalsa20, Poly1305), which the library `cryptography` lacks. Slow, about 25 KB/ms: fit for Secrets."""

from __future__ import annotations

import struct
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.poly1305 import Poly1305

NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16
_MASK: Final = 0xFFFFFFFF
_SIGMA: Final = struct.unpack("<4I", b"expand 32-byte k")
_WORDS: Final = struct.Struct("<16I")
# (target, first, second, rotation), a column round and then a row round.
_STEPS: Final = (
    *((4, 0, 12, 7), (8, 4, 0, 9), (12, 8, 4, 13), (0, 12, 8, 18), (9, 5, 1, 7), (13, 9, 5, 9), (1, 13, 9, 13), (5, 1, 13, 18)),
    *((14, 10, 6, 7), (2, 14, 10, 9), (6, 2, 14, 13), (10, 6, 2, 18), (3, 15, 11, 7), (7, 3, 15, 9), (11, 7, 3, 13), (15, 11, 7, 18)),
    *((1, 0, 3, 7), (2, 1, 0, 9), (3, 2, 1, 13), (0, 3, 2, 18), (6, 5, 4, 7), (7, 6, 5, 9), (4, 7, 6, 13), (5, 4, 7, 18)),
    *((11, 10, 9, 7), (8, 11, 10, 9), (9, 8, 11, 13), (10, 9, 8, 18), (12, 15, 14, 7), (13, 12, 15, 9), (14, 13, 12, 13), (15, 14, 13, 18)),
)


def seal(key: bytes, nonce: bytes, message: bytes) -> bytes:
    """Tag and ciphertext."""
    stream = _stream(key, nonce, 32 + len(message))
    hidden = _xor(message, stream[32:])
    return Poly1305.generate_tag(stream[:32], hidden) + hidden


def unseal(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Raises ValueError for what another key sealed, or somebody changed."""
    if len(nonce) < NONCE_SIZE:
        raise ValueError("the value is too short")
    tag, hidden = sealed[:TAG_SIZE], sealed[TAG_SIZE:]
    stream = _stream(key, nonce, 32 + len(hidden))
    try:
        Poly1305.verify_tag(stream[:32], hidden, tag)
    except InvalidSignature as error:
        raise ValueError("the tag does not fit") from error
    return _xor(hidden, stream[32:])


def _stream(key: bytes, nonce: bytes, length: int) -> bytes:
    first = _rounds(_state(key, struct.unpack("<4I", nonce[:16])))
    words = struct.unpack("<8I", struct.pack("<8I", *(first[i] for i in (0, 5, 10, 15, 6, 7, 8, 9))))
    subkey, rest = struct.pack("<8I", *words), struct.unpack("<2I", nonce[16:])
    blocks = []
    for counter in range((length + 63) // 64):
        state = _state(subkey, (*rest, counter & _MASK, counter >> 32))
        blocks.append(_WORDS.pack(*((a + b) & _MASK for a, b in zip(_rounds(state), state, strict=True))))
    return b"".join(blocks)[:length]


def _state(key: bytes, block: tuple[int, ...]) -> list[int]:
    words = struct.unpack("<8I", key)
    return [_SIGMA[0], *words[:4], _SIGMA[1], *block, _SIGMA[2], *words[4:], _SIGMA[3]]


def _rounds(state: list[int]) -> list[int]:
    x = list(state)
    for _ in range(10):
        for target, first, second, rotation in _STEPS:
            total = (x[first] + x[second]) & _MASK
            x[target] ^= (total << rotation & _MASK) | (total >> 32 - rotation)
    return x


def _xor(one: bytes, other: bytes) -> bytes:
    length = len(one)
    return (int.from_bytes(one) ^ int.from_bytes(other[:length])).to_bytes(length)
