"""postStart and preStop hooks. Follows pkg/kubelet/lifecycle/handlers.go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from kube.api.core_v1 import Container, LifecycleHandler
from node_agent.probes.probers import PortError, connection_error, http_url
from node_agent.runtime.model import ExecResult, RuntimeServiceError

HOOK_TIMEOUT_S = 24 * 3600.0          # the grace period bounds a preStop; a postStart may take its time

Exec = Callable[[str, Sequence[str], float], Awaitable[ExecResult]]


class HookError(Exception):
    """The hook failed; the message is fit for an event."""


async def run_hook(hook: LifecycleHandler, container: Container, container_id: str, address: str, run: Exec) -> None:
    """Raises HookError."""
    if hook.exec is not None:
        await _exec(hook.exec.command, container_id, run)
    elif hook.http_get is not None:
        try:
            url = http_url(hook.http_get, container, address)
            headers = {header.name: header.value for header in hook.http_get.http_headers}
            async with aiohttp.ClientSession() as session, session.get(url, headers=headers, ssl=False) as response:
                if response.status >= 400:
                    raise HookError(f"HTTP hook failed with statuscode: {response.status}")
        except (aiohttp.ClientError, OSError, PortError) as error:
            raise HookError(connection_error(error)) from error
    elif hook.sleep is not None:
        await asyncio.sleep(hook.sleep.seconds or 0)


async def _exec(command: Sequence[str], container_id: str, run: Exec) -> None:
    try:
        result = await run(container_id, command, HOOK_TIMEOUT_S)
    except RuntimeServiceError as error:
        raise HookError(str(error)) from error
    if result.exit_code:
        output = result.output.decode(errors="replace").strip()
        raise HookError(f"command '{' '.join(command)}' exited with {result.exit_code}: {output}")
