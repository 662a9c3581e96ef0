"""Running controllers over a MemoryTransport, and waiting for what they should do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.apimachinery.resources import SCHEME
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.informer import InformerFactory
from kube.process.clock import Clock, SystemClock
from tests.support.memory_transport import MemoryTransport


@asynccontextmanager
async def running(
    client: Client, *makers: Callable[[ControllerContext], ManagedController[Any]], clock: Clock | None = None
) -> AsyncIterator[None]:
    async with _own_kinds(), EventRecorder(client, "test") as events, InformerFactory(client) as informers:
        context = ControllerContext(client, informers, events, clock or SystemClock())
        controllers = [make(context) for make in makers]
        await informers.start()
        tasks = [asyncio.create_task(controller.run()) for controller in controllers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _own_kinds() -> AsyncIterator[None]:
    """What controllers put into this process's table of kinds goes with them: the next test in it may look at every kind."""
    before = [*SCHEME]
    try:
        yield
    finally:
        for row in SCHEME:
            if row not in before:
                SCHEME.remove(row)


def memory_client() -> tuple[Client, MemoryTransport]:
    transport = MemoryTransport()
    return Client(transport), transport


async def eventually(holds: Callable[[], Awaitable[bool]], *, within_s: float = 60.0, what: str = "condition") -> None:
    try:
        async with asyncio.timeout(within_s):
            while not await holds():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {within_s} s") from None
