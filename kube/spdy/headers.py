"""Header blocks of SPDY/3: names and values with their lengths, compressed with a dictionary that both sides know.

One compression context per direction lasts as long as the connection: whoever skips a block cannot read the next one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

MAX_BLOCK: Final = 64 * 1024      # unpacked; a stream of kubectl's has some hundred bytes of headers

# The dictionary of draft 3, section 2.6.10.1: strings with their lengths before them, then text without.
_STRINGS: Final = (
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges",
    "age", "allow", "authorization", "cache-control", "connection", "content-base", "content-encoding", "content-language",
    "content-length", "content-location", "content-md5", "content-range", "content-type", "date", "etag", "expect", "expires", "from",
    "host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
    "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after", "server", "te", "trailer",
    "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning", "www-authenticate", "method", "get", "status", "200 OK",
    "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin",
)
_TEXT: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found"
    "500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _STRINGS) + _TEXT.encode()

_SMALL_WINDOW: Final = 11         # what we send are empty blocks: 16 KiB per connection instead of 256
_SMALL_MEMORY: Final = 4


class HeaderError(ValueError):
    """A block that cannot be read. The connection is of no use after that."""


class HeaderPacker:
    """Of one connection's outgoing blocks."""

    def __init__(self) -> None:
        self._context = zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, _SMALL_WINDOW, _SMALL_MEMORY, zdict=DICTIONARY)

    def pack(self, headers: Mapping[str, str]) -> bytes:
        plain = bytearray(struct.pack(">I", len(headers)))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                plain += struct.pack(">I", len(text)) + text
        return self._context.compress(plain) + self._context.flush(zlib.Z_SYNC_FLUSH)


class HeaderUnpacker:
    """Of one connection's incoming blocks."""

    def __init__(self) -> None:
        self._context = zlib.decompressobj(zdict=DICTIONARY)

    def unpack(self, block: bytes) -> dict[str, str]:
        """Names in lower case; several values of one name stay joined by NUL. Raises HeaderError."""
        try:
            plain = self._context.decompress(block, MAX_BLOCK)
        except zlib.error as error:
            raise HeaderError(f"header block: {error}") from error
        if self._context.unconsumed_tail or len(plain) >= MAX_BLOCK:
            raise HeaderError(f"header block: must be below {MAX_BLOCK} bytes")
        if self._context.eof:
            raise HeaderError("header block: the compressed stream ends")
        return _parsed(plain)


def _parsed(plain: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    count, at = _number(plain, 0), 4
    for _ in range(count):
        name, at = _text(plain, at)
        value, at = _text(plain, at)
        if not name or name != name.lower():
            raise HeaderError(f"header name: must be lower case and not empty, got {name!r}")
        if name in headers:
            raise HeaderError(f"header {name!r} comes twice")
        headers[name] = value
    if at != len(plain):
        raise HeaderError("header block: bytes after the last header")
    return headers


def _number(plain: bytes, at: int) -> int:
    if at + 4 > len(plain):
        raise HeaderError("header block: ends too early")
    return int.from_bytes(plain[at : at + 4])


def _text(plain: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _number(plain, at)
    if end > len(plain):
        raise HeaderError("header block: ends too early")
    return plain[at + 4 : end].decode(errors="replace"), end
