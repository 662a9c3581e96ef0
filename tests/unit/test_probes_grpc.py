"""gRPC probes against a real health service on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from kube.api.core_v1 import Container, GRPCAction, Probe
from node_agent.probes.probers import Prober
from node_agent.probes.results import Finding, Outcome

HOST = "127.0.0.1"


async def no_exec(container: str, command: Sequence[str], timeout_s: float) -> tuple[int, bytes]:
    raise AssertionError("a gRPC probe executes nothing")


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    made = Prober(no_exec)
    yield made
    await made.close()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server whose service "web" is healthy and whose service "db" is not."""
    server = grpc.aio.server()
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    number = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    await checks.set("web", health_pb2.HealthCheckResponse.SERVING)
    await checks.set("db", health_pb2.HealthCheckResponse.NOT_SERVING)
    yield number
    await server.stop(None)


async def look(prober: Prober, port: int, service: str = "") -> Finding:
    probe = Probe(grpc=GRPCAction(port=port, service=service), timeout_seconds=2)
    return await prober.look(probe, Container(name="c"), "id", HOST)


@pytest.mark.req("POD-06")
@pytest.mark.parametrize(
    ("service", "outcome", "words"),
    [
        pytest.param("", Outcome.SUCCESS, "service healthy", id="the server itself"),
        pytest.param("web", Outcome.SUCCESS, "service healthy", id="a healthy service"),
        pytest.param("db", Outcome.FAILURE, 'service unhealthy (responded with "NOT_SERVING")', id="an unhealthy service"),
        pytest.param("nope", Outcome.FAILURE, "error: health rpc probe failed: rpc error: code = NotFound desc = ", id="an unknown one"),
    ],
)
async def test_a_service_is_asked_for_its_health(prober: Prober, port: int, service: str, outcome: Outcome, words: str) -> None:
    finding = await look(prober, port, service)

    assert finding.outcome is outcome
    assert finding.message.startswith(words)


async def test_nobody_listening_is_a_failure(prober: Prober, unused_tcp_port: int) -> None:
    finding = await look(prober, unused_tcp_port)

    assert finding.outcome is Outcome.FAILURE
    assert finding.message == f'timeout: failed to connect service "{HOST}:{unused_tcp_port}" within 2s: context deadline exceeded'


async def test_a_server_that_does_not_answer_is_a_failure(prober: Prober) -> None:
    class Silent(health_pb2_grpc.HealthServicer):
        async def Check(self, request: object, context: object) -> None:  # noqa: N802  # gRPC's name
            await asyncio.Event().wait()

    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(Silent(), server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        finding = await look(prober, port)
    finally:
        await server.stop(None)

    assert finding == Finding(Outcome.FAILURE, "timeout: health rpc did not complete within 2s")


async def test_a_server_without_health_service_is_a_failure(prober: Prober) -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        finding = await look(prober, port)
    finally:
        await server.stop(None)

    assert finding.outcome is Outcome.FAILURE
    assert finding.message.startswith("error: this server does not implement the grpc health protocol")
