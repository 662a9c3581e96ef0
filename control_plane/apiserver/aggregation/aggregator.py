"""The parts of aggregation together, as the rest of the apiserver sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiohttp import web

from control_plane.apiserver.aggregation.checker import Checker
from control_plane.apiserver.aggregation.proxy import OPENAPI_USER, AggregationProxy
from control_plane.apiserver.aggregation.registration import LocalServices
from control_plane.apiserver.aggregation.targets import Target, Targets
from control_plane.apiserver.aggregation.trust import Contexts
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.custom.serving import definition_row
from control_plane.apiserver.dialing import Services
from control_plane.apiserver.registry.compare_and_swap import CompareAndSwap
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.scheme import GroupVersion, Scheme
from kube.process.clock import Clock
from kube.process.config import TlsFiles

if TYPE_CHECKING:
    from kube.client.rest_transport import RestTransport


class Aggregator:
    """`front_proxy`: who we are towards extension servers."""

    def __init__(
        self, store: EtcdStore, cache: WatchCache, swap: CompareAndSwap, writer: Writer, deleter: Deleter, scheme: Scheme,
        front_proxy: TlsFiles | None, clock: Clock,
    ) -> None:
        self._cache = cache
        self._scheme = scheme
        services, contexts = Services(cache), Contexts(front_proxy)
        self.targets = Targets(cache, scheme)
        self._proxy = AggregationProxy(services, contexts)
        self._checker = Checker(store, cache, swap, scheme, self.targets, services, contexts, clock)
        self._local = LocalServices(cache, scheme, writer, deleter)

    def attach(self) -> None:
        self._checker.attach()
        self.targets.listen(lambda _: self._local.wake())
        self.targets.attach()
        self._cache.observe(definition_row(self._scheme), self._on_definition, self._on_definitions)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._local.run(), name="local APIServices")
            tasks.create_task(self._checker.run(), name="availability of APIServices")

    async def serve(self, request: web.BaseRequest, user: UserInfo, path: str) -> web.StreamResponse | None:
        """The answer of the server that the path belongs to; None: it is served here."""
        target = self.targets.for_path(path)
        return None if target is None else await self._proxy.serve(request, target, user)

    def transport(self, target: Target, user: UserInfo) -> RestTransport:
        """A connection to the target's server, as this user. Raises ApiError."""
        return self._proxy.transport(target, user)

    async def openapi(self, request: web.BaseRequest, group_version: GroupVersion) -> web.StreamResponse | None:
        """/openapi/v3/apis/GROUP/VERSION of another server; None: it is served here."""
        target = self.targets.of(group_version)
        return None if target is None else await self._proxy.serve(request, target, OPENAPI_USER)

    def _on_definition(self, event: CacheEvent) -> None:
        self._local.wake()

    def _on_definitions(self, objects: Iterable[CachedObject]) -> None:
        self._local.wake()
