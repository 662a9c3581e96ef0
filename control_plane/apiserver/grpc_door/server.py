"""Port and TLS of the gRPC door, with the standard health and reflection services beside ours."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc.aio
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kube.process.config import TlsFiles
from kube.process.tls import grpc_server_credentials
from kube.rpc.v1 import objects_pb2
from kube.rpc.v1.objects_pb2_grpc import ObjectServiceServicer, add_ObjectServiceServicer_to_server

SERVICE: Final = objects_pb2.DESCRIPTOR.services_by_name["ObjectService"].full_name
_GRACE_S: Final = 1.0
OPTIONS: Final = (
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    ("grpc.server.max_pending_requests", 20_000),                 # the default refuses a burst of 1,000 calls
    ("grpc.server.max_pending_requests_hard_limit", 40_000),
    ("grpc.so_reuseport", 0),                                     # a second apiserver on the port is an error, not a partner
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),  # clients look every 5 s whether we are still there
    ("grpc.keepalive_time_ms", 20_000),                           # and we look for clients that vanished without a word
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
)


class _WithoutGarbage(logging.Filter):
    """A message that cannot be read is its sender's trouble; the library would log a traceback for each."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], DecodeError))


@asynccontextmanager
async def serve_grpc(service: ObjectServiceServicer, tls: TlsFiles, port: int) -> AsyncIterator[int]:
    """Serves while the context is open; yields the port (`port` 0 picks one)."""
    logging.getLogger("grpc._cython.cygrpc").addFilter(_WithoutGarbage())
    server = grpc.aio.server(options=OPTIONS)
    add_ObjectServiceServicer_to_server(service, server)
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    bound = server.add_secure_port(f"0.0.0.0:{port}", grpc_server_credentials(tls))
    await server.start()
    for name in ("", SERVICE):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield bound
    finally:
        await healthy.enter_graceful_shutdown()
        await server.stop(_GRACE_S)
