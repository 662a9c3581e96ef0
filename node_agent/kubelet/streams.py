"""Copying between a gRPC stream of frames and an exec session, an attach socket or a TCP connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kube.rpc.v1 import node_pb2
from node_agent.runtime import attach
from node_agent.runtime.attach import AttachSession
from node_agent.runtime.execs import ExecSession
from node_agent.runtime.model import ContainerConfig, RuntimeServiceError

QUEUE = 4                       # frames in flight: what the client does not take, the command does not write
CHUNK = 256 * 1024


async def relay_exec(session: ExecSession, frames: AsyncIterator[Any], command: Sequence[str]) -> AsyncGenerator[Any, None]:
    """Ends with a status frame when the command has ended. A caller who leaves takes the streams away; a terminal hangs up then."""
    queue: asyncio.Queue[Any] = asyncio.Queue(QUEUE)

    async def copy(read: Callable[[], Awaitable[bytes]], frame_of: Callable[[bytes], Any]) -> None:
        while data := await read():
            await queue.put(frame_of(data))

    async def outputs() -> None:
        await asyncio.gather(copy(session.read_stdout, _stdout_frame), copy(session.read_stderr, _stderr_frame))
        try:
            status = exit_status(await session.wait(), command)
        except RuntimeServiceError as error:
            status = failure_status(f"error executing command in container: {error}")
        await queue.put(status_frame(status))
        await queue.put(None)

    tasks = [
        asyncio.create_task(outputs(), name="exec output"), asyncio.create_task(_exec_input(session, frames), name="exec input"),
    ]
    try:
        while (frame := await queue.get()) is not None:
            yield frame
    finally:
        await _to_the_end(_end_exec(session, tasks))


async def _end_exec(session: ExecSession, tasks: Sequence[asyncio.Task[None]]) -> None:
    await _end(tasks)
    await session.leave()


def status_frame(status: Mapping[str, Any]) -> Any:
    return node_pb2.StreamFrame(status=json.dumps(status).encode())


def _stdout_frame(data: bytes) -> Any:
    return node_pb2.StreamFrame(stdout=data)


def _stderr_frame(data: bytes) -> Any:
    return node_pb2.StreamFrame(stderr=data)


async def relay_attach(
    session: AttachSession, frames: AsyncIterator[Any], config: ContainerConfig, *, stdin: bool,
) -> AsyncGenerator[Any, None]:
    """Until the container ends; also until the caller's input ends, unless that closes the container's (stdinOnce), as with containerd."""
    stdin = stdin and config.stdin

    async def inputs() -> None:
        async for frame in frames:
            kind = frame.WhichOneof("frame")
            with suppress(OSError):
                if kind == "stdin" and stdin:
                    await session.write(frame.stdin)
                elif kind == "close_stdin" and stdin:
                    session.close_stdin(and_output=config.tty or not config.stdin_once)
                elif kind == "resize":
                    session.resize(frame.resize.width, frame.resize.height)

    tasks = [asyncio.create_task(inputs(), name="attach input")]
    try:
        while True:
            stream, data = await session.read()
            if not stream:
                break
            yield _stderr_frame(data) if stream == attach.STDERR else _stdout_frame(data)
        yield status_frame(exit_status(0))
    finally:
        session.close()
        await _end(tasks)


async def relay_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: AsyncIterator[Any],
) -> AsyncGenerator[Any, None]:
    """Each half is closed when its sender closes it; ends when both are, or with the connection."""
    tasks = [asyncio.create_task(_connection_input(writer, frames), name="dial input")]
    try:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                yield node_pb2.DialFrame(data=data)
        yield node_pb2.DialFrame(close_write=True)
        await asyncio.wait(tasks)
        writer.close()
    finally:
        if not writer.is_closing():         # the caller has given the connection up
            writer.transport.abort()
        await _end(tasks)


async def _connection_input(writer: asyncio.StreamWriter, frames: AsyncIterator[Any]) -> None:
    with suppress(OSError):
        async for frame in frames:
            if frame.WhichOneof("frame") == "data":
                writer.write(frame.data)
                await writer.drain()
            elif frame.close_write:
                writer.write_eof()
                return


def exit_status(code: int, command: Sequence[str] = ()) -> dict[str, Any]:
    """A Status as exec's error channel carries it."""
    if code == 0:
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: error executing command [{' '.join(command)}], exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(message: str) -> dict[str, Any]:
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": f"Internal error occurred: {message}", "details": {"causes": [{"message": message}]},
    }


async def _exec_input(session: ExecSession, frames: AsyncIterator[Any]) -> None:
    async for frame in frames:
        kind = frame.WhichOneof("frame")
        if kind == "stdin":
            await session.write(frame.stdin)
        elif kind == "close_stdin":
            session.close_stdin()
        elif kind == "resize":
            session.resize(frame.resize.width, frame.resize.height)


_endings: set[asyncio.Task[None]] = set()       # the event loop itself holds tasks weakly


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """A caller that leaves while its stream ends cancels that, too: what is held must be given back all the same."""
    task = asyncio.create_task(work, name="end of a stream")
    _endings.add(task)
    task.add_done_callback(_endings.discard)
    await asyncio.shield(task)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
