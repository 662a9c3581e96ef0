"""postStart and preStop hooks. Follows pkg/kubelet/lifecycle/handlers.go; an answer to an HTTP hook is a success whatever its code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import aiohttp

from kube.api.core_v1 import Container, HTTPGetAction, LifecycleHandler, Pod
from kube.apimachinery.go_text import go_quoted
from node_agent.kubelet import event_names as names
from node_agent.kubelet.seams import Events
from node_agent.probes.probers import PortError, connection_error, http_url
from node_agent.runtime.model import ExecResult, RuntimeServiceError

HOOK_TIMEOUT_S = 24 * 3600.0          # the grace period bounds a preStop; a postStart may take its time
USER_AGENT = "kube-lifecycle/1.37"

Exec = Callable[[str, Sequence[str], float], Awaitable[ExecResult]]


class HookError(Exception):
    """The hook failed. The message may quote the container's output: fit for the status of the container, not for an event."""


async def run_hook(
    hook: LifecycleHandler, pod: Pod, container: Container, *, container_id: str, address: str, run: Exec, events: Events,
) -> None:
    """Raises HookError."""
    who = f'for Container "{container.name}" in Pod "{names.full_name(pod)}" failed - error:'
    if hook.exec is not None:
        command = hook.exec.command
        if failure := await _exec(command, container_id, run):
            reason, output = failure
            raise HookError(f"Exec lifecycle hook ([{' '.join(command)}]) {who} {reason}, message: {go_quoted(output)}")
    elif hook.http_get is not None:
        try:
            await _http(hook.http_get, pod, container, address, events)
        except (aiohttp.ClientError, OSError, PortError, ValueError) as error:
            raise HookError(f"HTTP lifecycle hook ({hook.http_get.path}) {who} {connection_error(error)}") from error
    elif hook.sleep is not None:
        await asyncio.sleep(hook.sleep.seconds or 0)


async def _exec(command: Sequence[str], container_id: str, run: Exec) -> tuple[str, str] | None:
    try:
        result = await run(container_id, command, HOOK_TIMEOUT_S)
    except RuntimeServiceError as error:
        return str(error), ""
    if not result.exit_code:
        return None
    output = result.output.decode(errors="replace")
    return f"command '{' '.join(command)}' exited with {result.exit_code}: {output}", output


async def _http(action: HTTPGetAction, pod: Pod, container: Container, address: str, events: Events) -> None:
    url = http_url(action, container, address)
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*"} | {header.name: header.value for header in action.http_headers}
    async with aiohttp.ClientSession(trust_env=False, connector=aiohttp.TCPConnector(force_close=True)) as session:
        try:
            await _get(session, url, headers)
        except aiohttp.ClientConnectorSSLError:
            # The server speaks plain HTTP: asked again so, without what only a secure server should read.
            plain = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            await _get(session, "http://" + url.removeprefix("https://"), plain)
            host = url.removeprefix("https://").partition("/")[0]
            text = f"request to HTTPS lifecycle hook {host} got HTTP response, retry with HTTP succeeded"
            events.event(pod, "Warning", "LifecycleHTTPFallback", text)


async def _get(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
    async with session.get(url, headers=headers, ssl=False) as response:
        with suppress(aiohttp.ClientError):
            await response.content.read(10 * 1024)
