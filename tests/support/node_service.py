"""A node for an apiserver under test: speaks NodeService, but runs nothing. Its one container repeats what it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from kube.process.config import TlsFiles
from kube.process.tls import grpc_server_credentials
from kube.rpc.v1.node_pb2 import Chunk, LogsRequest, StreamFrame
from kube.rpc.v1.node_pb2_grpc import NodeServiceServicer, add_NodeServiceServicer_to_server

LOG = b"first line\nsecond line\n"
DIES_AFTER_A_LINE = 13          # bytes that are asked for
_NOT_FOUND = {
    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "BadRequest", "code": 400,
    "message": 'previous terminated container "main" in pod "p" not found',
}
_GONE = {
    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
    "message": 'container not found ("main")',
}


class RepeatingNode(NodeServiceServicer):
    """`exec` writes its command, then its standard input; `exit N` ends with that code, `gone` is refused. The last requests are kept."""

    def __init__(self) -> None:
        self.logs_request: LogsRequest | None = None
        self.sizes: list[tuple[int, int]] = []

    async def Logs(self, request: LogsRequest, context: Any) -> AsyncIterator[Chunk]:  # noqa: N802 (named by the .proto)
        self.logs_request = request
        if request.previous:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "not found", trailing_metadata=(("kube-status-bin", json.dumps(_NOT_FOUND).encode()),)
            )
        await context.send_initial_metadata((("opened", "1"),))
        for line in LOG.splitlines(keepends=True):
            yield Chunk(data=line)
            if request.limit_bytes == DIES_AFTER_A_LINE:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    async def Exec(self, requests: AsyncIterator[StreamFrame], context: Any) -> AsyncIterator[StreamFrame]:  # noqa: N802
        first = await anext(requests)
        command = list(first.start.command)
        if command == ["gone"]:
            await context.abort(grpc.StatusCode.INTERNAL, "gone", trailing_metadata=(("kube-status-bin", json.dumps(_GONE).encode()),))
        await context.send_initial_metadata((("opened", "1"),))
        assert (await anext(requests)).begin
        yield StreamFrame(stdout=" ".join(command).encode() + b"\n")
        yield StreamFrame(stderr=b"warned\n")
        if first.start.stdin:
            async for frame in requests:
                kind = frame.WhichOneof("frame")
                if kind == "stdin":
                    yield StreamFrame(stdout=frame.stdin)
                elif kind == "resize":
                    self.sizes.append((frame.resize.width, frame.resize.height))
                else:
                    break
        yield StreamFrame(status=json.dumps(_status(int(command[1]) if command[0] == "exit" else 0)).encode())


def _status(code: int) -> dict[str, Any]:
    if not code:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


@asynccontextmanager
async def serving_node(tls: TlsFiles, port: int, *, address: str = "127.0.0.1") -> AsyncIterator[RepeatingNode]:
    node, server = RepeatingNode(), grpc.aio.server()
    add_NodeServiceServicer_to_server(node, server)
    server.add_secure_port(f"{address}:{port}", grpc_server_credentials(tls))
    await server.start()
    try:
        yield node
    finally:
        await server.stop(None)
