"""The gRPC NodeService: logs, exec, attach and connections, for the apiserver alone (client certificate)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import msgspec

from kube.apimachinery import errors
from kube.process.clock import from_rfc3339
from kube.process.log import get_logger
from kube.rpc.v1 import node_pb2, node_pb2_grpc
from netns.kernel import KernelThread
from node_agent.kubelet.container_logs import find_log, running_container
from node_agent.kubelet.pod_dial import dial_pod
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.streams import failure_status, relay_attach, relay_connection, relay_exec, status_frame
from node_agent.runtime.logs import LogOptions
from node_agent.runtime.model import ContainerRecord, RuntimeServiceError, Sandbox

APISERVER = b"kube-apiserver-kubelet-client"       # whoever else wants to exec asks the apiserver, which asks who may
Context = grpc.aio.ServicerContext[Any, Any]
log = get_logger("node-service")
_DIAL_S = 10.0

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT, 403: grpc.StatusCode.PERMISSION_DENIED, 404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION, 503: grpc.StatusCode.UNAVAILABLE,
}


class NodeService(node_pb2_grpc.NodeServiceServicer):
    def __init__(self, services: Services, workers: PodWorkers, kernel: KernelThread) -> None:
        self._services = services
        self._workers = workers
        self._kernel = kernel

    async def Logs(self, request: Any, context: Context) -> None:  # noqa: N802 - gRPC's name
        await _authorize(context)
        try:
            state = self._pod(request.container)
            found = find_log(self._services, state, request.container.container, previous=request.previous)
        except errors.ApiError as error:
            await abort(context, error)
            return
        await _opened(context)
        await _send(context, _chunks(found.read(log_options(request, self._services.clock.now()))))

    async def Exec(self, frames: AsyncIterator[Any], context: Context) -> None:  # noqa: N802
        async def run(start: Any, record: ContainerRecord) -> AsyncGenerator[Any, None]:
            command = list(start.command)
            session = await self._services.runtime.open_exec(record.id, command, tty=start.tty, stdin=start.stdin)
            return relay_exec(session, frames, command)

        failure = "error executing command in container: failed to exec in container"
        await self._console(frames, context, run, 'container not found ("{name}")', failure)

    async def Attach(self, frames: AsyncIterator[Any], context: Context) -> None:  # noqa: N802
        async def run(start: Any, record: ContainerRecord) -> AsyncGenerator[Any, None]:
            session = await self._services.runtime.open_attach(record.id)
            return relay_attach(session, frames, record.config, stdin=start.stdin)

        await self._console(frames, context, run, "container {name} not found in pod {pod}", "error attaching to container")

    async def _console(
        self, frames: AsyncIterator[Any], context: Context, run: Callable[[Any, ContainerRecord], Awaitable[AsyncGenerator[Any, None]]],
        refusal: str, failure: str,
    ) -> None:
        """What can be told before the client's connection is upgraded is told by the call's status, the rest by a Status frame."""
        await _authorize(context)
        try:
            start = await _first(frames, "start")
            record = running_container(self._services, self._pod(start.container), start.container.container, refusal)
        except errors.ApiError as error:
            await abort(context, error)
            return
        await _opened(context)
        try:
            await _first(frames, "begin")
            relay = await run(start, record)
        except errors.BadRequest:       # the client left before it was ready
            return
        except (RuntimeServiceError, OSError) as error:
            await _write(context, status_frame(failure_status(f"{failure}: {error}")))
            return
        await _send(context, relay)

    async def Dial(self, frames: AsyncIterator[Any], context: Context) -> None:  # noqa: N802
        await _authorize(context)
        try:
            target = await _first(frames, "target")
            if target.pod and not target.port:
                self._sandbox(target.namespace, target.pod)
                await _opened(context)
                return
            reader, writer = await self._dial(target)
        except errors.ApiError as error:
            await abort(context, error)
            return
        await _opened(context)
        await _send(context, relay_connection(reader, writer, frames))

    async def _dial(self, target: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if target.pod:
            sandbox = self._sandbox(target.namespace, target.pod)
            return await dial_pod(self._kernel, sandbox.net, sandbox.config.uid, target.port)
        try:
            return await asyncio.wait_for(asyncio.open_connection(target.host, target.port), _DIAL_S)
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", None) or "i/o timeout"
            raise errors.ServiceUnavailable(f"dial tcp {target.host}:{target.port}: connect: {why}".lower()) from error

    def _pod(self, container: Any) -> PodState:
        state = self._workers.find(container.namespace, container.pod)
        if state is None:
            raise errors.NotFound(f'pod "{container.pod}" does not exist')
        return state

    def _sandbox(self, namespace: str, name: str) -> Sandbox:
        """Of a Pod of which something runs: what port-forward needs. Raises InternalError."""
        state = self._workers.find(namespace, name)
        sandbox = self._services.runtime.sandbox(state.uid) if state is not None else None
        if sandbox is None:
            raise errors.InternalError(f'pod not found ("{name}_{namespace}")')
        return sandbox


def log_options(request: Any, now: datetime) -> LogOptions:
    since = None
    if request.since_seconds:
        since = now - timedelta(seconds=request.since_seconds)
    elif request.since_time:
        with suppress(ValueError):
            since = from_rfc3339(request.since_time).astimezone(UTC)
    stream = {"Stdout": "stdout", "Stderr": "stderr"}.get(request.stream, "")
    return LogOptions(
        follow=request.follow, timestamps=request.timestamps, tail_lines=request.tail_lines, since=since, limit_bytes=request.limit_bytes,
        stream=stream,
    )


async def _opened(context: Context) -> None:
    """Tells the caller that input is welcome: what is written to a call that ends meanwhile takes the place of its status."""
    await context.send_initial_metadata((("opened", "1"),))


async def _send(context: Context, frames: AsyncGenerator[Any, None]) -> None:
    """Until they end or the caller is gone; what makes them has ended, too, then."""
    async with aclosing(frames):
        async for frame in frames:
            if not await _write(context, frame):
                return


async def _write(context: Context, frame: Any) -> bool:
    """False when the caller is gone."""
    try:
        await context.write(frame)
    except Exception:       # gRPC has no public name for a call that ended meanwhile
        if context.cancelled() or context.done():
            return False
        raise
    return True


async def _chunks(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[Any, None]:
    async with aclosing(pieces):
        async for piece in pieces:
            yield node_pb2.Chunk(data=piece)


async def abort(context: Context, error: errors.ApiError) -> None:
    """Ends the call; the Status travels in the trailing metadata."""
    trailer = (("kube-status-bin", msgspec.json.encode(error.to_status())),)
    await context.abort(_CODES.get(error.code, grpc.StatusCode.INTERNAL), error.message, trailer)


async def _authorize(context: Context) -> None:
    names = context.auth_context().get("x509_common_name", [])
    if list(names) != [APISERVER]:
        who = b",".join(names).decode(errors="replace")
        await abort(context, errors.Forbidden(f'User "{who}" may not use this node\'s service'))


async def _first(frames: AsyncIterator[Any], name: str) -> Any:
    """The frame that must come first. Raises BadRequest."""
    async for frame in frames:
        if frame.WhichOneof("frame") == name:
            return getattr(frame, name)
        break
    raise errors.BadRequest(f"the first frame must be {name}")
