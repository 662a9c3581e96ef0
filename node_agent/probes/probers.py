"""One look at a container, from the node's own network namespace to the Pod's address. Follows pkg/probe; messages are upstream's."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from yarl import URL

from kube.api.core_v1 import Container, ExecAction, GRPCAction, HTTPGetAction, Probe, TCPSocketAction
from kube.apimachinery.go_text import go_duration, go_status
from node_agent.kubelet.environment import expand
from node_agent.probes.results import Finding, Outcome

BODY_LIMIT = 10 * 1024
MAX_REDIRECTS = 10
REDIRECTS = (301, 302, 303, 307, 308)
USER_AGENT = "kube-probe/1.37"

# container id, command, timeout -> exit code and output; raises TimeoutError, or another exception if it could not run
Exec = Callable[[str, Sequence[str], float], Awaitable[tuple[int, bytes]]]


class PortError(Exception):
    """A port name that the container does not have."""


class Prober:
    """Holds the one HTTP session; `async with`."""

    def __init__(self, run: Exec) -> None:
        self._run = run
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def look(self, probe: Probe, container: Container, container_id: str, address: str) -> Finding:
        timeout_s = float(probe.timeout_seconds or 1)
        try:
            if probe.exec is not None:
                return await self._exec(probe.exec, container, container_id, timeout_s)
            if probe.http_get is not None:
                return await self._http(probe.http_get, container, address, timeout_s)
            if probe.tcp_socket is not None:
                return await self._tcp(probe.tcp_socket, container, address, timeout_s)
            if probe.grpc is not None:
                return await self._grpc(probe.grpc, address, timeout_s)
        except PortError as error:
            return Finding(Outcome.UNKNOWN, str(error))
        return Finding(Outcome.UNKNOWN, f"missing probe handler for container {container.name}")

    async def _exec(self, action: ExecAction, container: Container, container_id: str, timeout_s: float) -> Finding:
        literal = {variable.name: variable.value for variable in container.env}     # what values refer to is not known here
        command = [expand(word, literal) for word in action.command]
        try:
            code, output = await self._run(container_id, command, timeout_s)
        except TimeoutError:
            return Finding(Outcome.FAILURE, f'command timed out: "{" ".join(command)}" timed out after {go_duration(timeout_s)}')
        except Exception as error:
            return Finding(Outcome.UNKNOWN, go_status("UNKNOWN", str(error)))
        text = output.decode(errors="replace")
        return Finding(Outcome.SUCCESS if code == 0 else Outcome.FAILURE, text)

    async def _http(self, action: HTTPGetAction, container: Container, address: str, timeout_s: float) -> Finding:
        url = http_url(action, container, address)
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
        headers |= {header.name: header.value for header in action.http_headers}
        try:
            async with asyncio.timeout(timeout_s):
                status, body = await self._get(URL(url), headers)
        except TimeoutError:
            waited = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return Finding(Outcome.FAILURE, f'Get "{url}": {waited}')
        except (aiohttp.ClientError, OSError, ValueError) as error:      # a ValueError is a header that cannot be sent
            return Finding(Outcome.FAILURE, f'Get "{url}": {connection_error(error)}')
        if 300 <= status < 400:
            return Finding(Outcome.WARNING, f"Probe terminated redirects, Response body: {body}")
        if 200 <= status < 300:
            return Finding(Outcome.SUCCESS, body)
        return Finding(Outcome.FAILURE, f"HTTP probe failed with statuscode: {status}")

    async def _get(self, url: URL, headers: Mapping[str, str]) -> tuple[int, str]:
        """Follows redirects to the same host only: the Pod must not choose whom the node asks, nor read the answer in an event."""
        start = url.host
        for _ in range(MAX_REDIRECTS):
            async with self._http_session().get(url, headers=headers, ssl=False, allow_redirects=False) as response:
                body = (await response.content.read(BODY_LIMIT)).decode(errors="replace")
                target = response.headers.get("Location") if response.status in REDIRECTS else None
                following = url.join(URL(target)) if target else None
                if following is None or following.host != start or following.scheme not in ("http", "https"):
                    return response.status, body
                url = following
        raise ValueError(f"stopped after {MAX_REDIRECTS} redirects")

    async def _tcp(self, action: TCPSocketAction, container: Container, address: str, timeout_s: float) -> Finding:
        host, port = action.host or address, container_port(action.port, container)
        try:
            async with asyncio.timeout(timeout_s):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
        except TimeoutError:
            return Finding(Outcome.FAILURE, f"dial tcp {host}:{port}: i/o timeout")
        except OSError as error:
            return Finding(Outcome.FAILURE, f"dial tcp {host}:{port}: {connection_error(error)}")
        return Finding(Outcome.SUCCESS)

    async def _grpc(self, action: GRPCAction, address: str, timeout_s: float) -> Finding:
        target = f"{address}:{action.port}"
        async with grpc.aio.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=action.service), timeout=timeout_s)
            except grpc.aio.AioRpcError as error:
                connected = channel.get_state() is grpc.ChannelConnectivity.READY
                return Finding(Outcome.FAILURE, _grpc_failure(error, target, timeout_s, connected=connected))
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        if status != "SERVING":
            return Finding(Outcome.FAILURE, f'service unhealthy (responded with "{status}")')
        return Finding(Outcome.SUCCESS, "service healthy")

    def _http_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No connection is kept: a probe shall see whether a new client could connect.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False,
            )
        return self._session


def _grpc_failure(error: grpc.aio.AioRpcError, target: str, timeout_s: float, *, connected: bool) -> str:
    """Upstream dials again and again until its time is up, and says so; here the first refusal is enough."""
    code = error.code()
    if not connected and code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
        return f'timeout: failed to connect service "{target}" within {go_duration(timeout_s)}: context deadline exceeded'
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"timeout: health rpc did not complete within {go_duration(timeout_s)}"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {error.details()}"
    return f"error: health rpc probe failed: {go_status(code.name, error.details())}"


def http_url(action: HTTPGetAction, container: Container, address: str) -> str:
    host = action.host or address
    with suppress(ValueError):  # a name
        host = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    path = action.path if action.path.startswith("/") else "/" + action.path
    return f"{(action.scheme or 'HTTP').lower()}://{host}:{container_port(action.port, container)}{path}"


def container_port(port: int | str | None, container: Container) -> int:
    """A number, or the name of one of the container's ports. Raises PortError."""
    if isinstance(port, int) or (isinstance(port, str) and port.isdigit()):
        number = int(port)
    else:
        number = next((held.container_port or 0 for held in container.ports if held.name == port), 0)
    if not 0 < number < 65536:
        raise PortError(f"invalid port number: {port}" if isinstance(port, int) else f'port "{port}" not found')
    return number


def connection_error(error: BaseException) -> str:
    """In Go's words: dial tcp 10.244.1.5:80: connect: connection refused."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(error, aiohttp.ClientConnectorError):
        where, cause = f"{error.host}:{error.port}", error.os_error
    elif isinstance(error, OSError):
        where, cause = "", error
    else:
        return str(error) or type(error).__name__
    if cause.errno:
        text = {111: "connection refused", 113: "no route to host", 101: "network is unreachable", 104: "connection reset by peer"}
        what = text.get(cause.errno, (cause.strerror or str(cause)).lower())
        return f"dial tcp {where}: connect: {what}" if where else f"connect: {what}"
    return str(error) or type(error).__name__
