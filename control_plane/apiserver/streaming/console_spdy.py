"""exec and attach over SPDY/3.1: a stream per standard stream. Follows kubelet's remotecommand (httpstream.go).

The client opens the streams, each with its `streamType`. Since v3 a terminal has one for its sizes; since v4 the error stream ends with a
Status object, before it with the message alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from control_plane.apiserver.streaming.channels import Protocol
from control_plane.apiserver.streaming.console import Console, Output, resize_frame
from control_plane.apiserver.streaming.spdy_upgrade import chosen_protocol, no_protocol, serving, upgrade_headers
from control_plane.apiserver.streaming.upgrade import upgraded
from kube.rpc.v1.node_pb2 import StreamFrame, StreamStart
from kube.spdy.session import Refused, Session, Stream

PROTOCOLS: Final = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
_STREAMS_WITHIN_S: Final = 30.0       # upstream's default StreamCreationTimeout
_LAST_WORDS_S: Final = 4 * 3600.0     # upstream's idle timeout: so long may the client take to read what was said, and hang up
_TYPES: Final = frozenset({"error", "stdin", "stdout", "stderr", "resize"})
_MAX_SIZE: Final = 1024               # of a resize message that has not ended


async def serve_spdy(request: web.BaseRequest, console: Console) -> web.StreamResponse:
    name = chosen_protocol(request, PROTOCOLS)
    if name is None:
        return no_protocol(request, PROTOCOLS)
    response, connection = await upgraded(request, upgrade_headers(name))
    client = _Client(console.start, Protocol(name or "channel.k8s.io"))
    session = client.session = Session(connection, client.accept)
    async with serving(session, request):
        with contextlib.suppress(ConnectionError, TimeoutError):      # the client is gone, or asks for nothing
            async with asyncio.timeout(_STREAMS_WITHIN_S):
                await client.streams_are_there()
            status = await console.run(client)
            await client.finish(client.protocol.final_message(dict(status)))
            async with asyncio.timeout(_LAST_WORDS_S):
                await session.ended.wait()
    return response


class _Client:
    session: Session

    def __init__(self, start: StreamStart, protocol: Protocol) -> None:
        self.protocol = protocol
        wanted = {"stdin": start.stdin, "stdout": start.stdout, "stderr": start.stderr, "resize": start.tty and protocol.version >= 3}
        self._expected = {"error"} | {name for name, is_wanted in wanted.items() if is_wanted}
        self._streams: dict[str, Stream] = {}
        self._changed = asyncio.Event()

    def accept(self, stream: Stream) -> None:
        kind = stream.headers.get("streamtype", "")
        if kind not in _TYPES or kind in self._streams:
            raise Refused(kind)
        self._streams[kind] = stream
        self._changed.set()

    async def streams_are_there(self) -> None:
        """All that were asked for. Raises ConnectionError when the client left before."""
        left = asyncio.ensure_future(self.session.ended.wait())
        try:
            while not self._expected <= self._streams.keys():
                self._changed.clear()
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait((left, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if left.done():
                    raise ConnectionResetError("the client left before it had opened its streams")
        finally:
            left.cancel()

    async def inputs(self) -> AsyncIterator[StreamFrame]:
        frames: asyncio.Queue[StreamFrame | None] = asyncio.Queue(1)
        tasks = [asyncio.create_task(self._until_gone(frames), name="spdy client")]
        if stdin := self._streams.get("stdin"):
            tasks.append(asyncio.create_task(_stdin(stdin, frames), name="spdy stdin"))
        if resize := self._streams.get("resize"):
            tasks.append(asyncio.create_task(_sizes(resize, frames), name="spdy sizes"))
        try:
            while (frame := await frames.get()) is not None:
                yield frame
        finally:
            for task in tasks:
                task.cancel()

    async def _until_gone(self, frames: asyncio.Queue[StreamFrame | None]) -> None:
        await self.session.ended.wait()
        await frames.put(None)

    async def output(self, name: Output, data: bytes) -> None:
        if stream := self._streams.get(name):
            await stream.write(data)

    async def finish(self, last: bytes | None) -> None:
        """Everything was said. The client reads to the ends, then hangs up: sooner, and old clients would lose what they have not read."""
        for name in ("stdout", "stderr"):
            if stream := self._streams.get(name):
                await stream.close()
        error = self._streams["error"]
        if last is not None:
            await error.write(last)
        await error.close()


async def _stdin(stream: Stream, frames: asyncio.Queue[StreamFrame | None]) -> None:
    while data := await stream.read():
        await frames.put(StreamFrame(stdin=data))
    await frames.put(StreamFrame(close_stdin=True))


async def _sizes(stream: Stream, frames: asyncio.Queue[StreamFrame | None]) -> None:
    """Objects one after the other, in whatever pieces."""
    kept = b""
    while data := await stream.read():
        *objects, kept = (kept + data).split(b"}")
        kept = kept[-_MAX_SIZE:]
        for one in objects:
            if frame := resize_frame(one.strip() + b"}"):
                await frames.put(frame)
