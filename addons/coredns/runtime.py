"""The process while it runs: what outlives a reload of the Corefile (listeners, background services, numbers) and the reload itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from addons.coredns.chain import Service
from addons.coredns.corefile import CorefileError, parse_corefile
from addons.coredns.metrics import Metrics
from addons.coredns.server import Listener
from addons.coredns.site import Site, build_site

T = TypeVar("T")
log = logging.getLogger("coredns")


class Runtime:
    """One per process. `async with` it: at the end everything is closed."""

    def __init__(self, corefile: Path) -> None:
        self.corefile = corefile
        self.metrics = Metrics()
        self.site = Site()
        self.failure: asyncio.Future[None] | None = None
        self.stopping = False
        self._shared: dict[Hashable, Any] = {}
        self._services: dict[Hashable, AsyncExitStack] = {}
        self._listeners: dict[tuple[str, int], Listener] = {}

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """A thing that plugins share and reloads keep, such as the store of the cluster's Services."""
        if key not in self._shared:
            self._shared[key] = make()
        thing: T = self._shared[key]
        return thing

    def fail(self, error: BaseException) -> None:
        """Ends the process with this error; for background services that cannot go on."""
        if self.failure is not None and not self.failure.done():
            self.failure.set_exception(error)

    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens; port 0 of a Corefile is a real one here."""
        return [(listener.host, listener.port) for listener in self._listeners.values()]

    def ready(self) -> list[str]:
        """Names of the plugins that are not ready yet."""
        return [name for name, check in self.site.ready.items() if not check()]

    async def __aenter__(self) -> Runtime:
        self.failure = asyncio.get_running_loop().create_future()
        try:
            await self._take_up(self._read())
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def reload(self) -> None:
        """Takes up the Corefile as it is now. Raises CorefileError or OSError, and then everything goes on as it was."""
        await self._take_up(self._read())

    def _read(self) -> Site:
        try:
            text = self.corefile.read_text()
        except OSError as error:
            raise CorefileError(f"{self.corefile}: {error.strerror}") from error
        return build_site(parse_corefile(text, str(self.corefile)), self)

    async def _take_up(self, site: Site) -> None:
        opened: dict[tuple[str, int], Listener] = {}
        try:
            for address, chains in site.chains.items():
                if address not in self._listeners:
                    listener = opened[address] = Listener(*address, self.metrics)
                    listener.chains = chains
                    await listener.open()
        except OSError as error:
            for listener in opened.values():
                await listener.close()
            raise CorefileError(f"cannot listen: {error}") from error
        self._listeners |= opened
        for address in self._listeners.keys() - site.chains.keys():
            await self._listeners.pop(address).close()
        old, self.site = self.site, site
        for address, chains in site.chains.items():
            self._listeners[address].replace(chains)
        for key in self._services.keys() - site.services.keys():
            await self._services.pop(key).aclose()
        for key, service in site.services.items():
            if key not in self._services:
                await self._start(key, service)
        if old.chains:
            log.info("Reloading complete")

    async def _start(self, key: Hashable, service: Service) -> None:
        stack = AsyncExitStack()
        await stack.enter_async_context(service())
        self._services[key] = stack

    async def _close(self) -> None:
        for listener in self._listeners.values():
            await listener.close()
        self._listeners.clear()
        for stack in reversed([*self._services.values()]):
            await stack.aclose()
        self._services.clear()
        if self.failure is not None:
            self.failure.cancel()

    def drop_answers(self, tag: Hashable) -> None:
        """What a cached answer came from has changed."""
        for listener in self._listeners.values():
            listener.answers.drop(tag)
