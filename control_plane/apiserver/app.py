"""kube-apiserver: storage -> watch cache -> registry -> pipeline -> the HTTPS and gRPC doors.

Both doors open when the cache is loaded and the system's own objects are there, so that no client ever sees half a cluster.
"""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from control_plane.apiserver.assembly import Apiserver, assemble
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.authorization.bootstrap_policy import ensure_bootstrap_policy
from control_plane.apiserver.bootstrap.endpoints import KubernetesEndpoints
from control_plane.apiserver.bootstrap.flow_control_keeper import FlowControlKeeper
from control_plane.apiserver.bootstrap.system_objects import Bootstrap, system_objects
from control_plane.apiserver.config import ApiserverConfig
from control_plane.apiserver.flags import REMOVED, flag_groups
from control_plane.apiserver.flow.defaults import ensure_flow_objects
from control_plane.apiserver.grpc_door.server import serve_grpc
from control_plane.apiserver.http_door.server import serve_https
from control_plane.apiserver.registry.legacy_tokens import tracking_config
from control_plane.apiserver.streaming.nodes import NodeConnections
from control_plane.storage.compaction import Compactor
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.resources import SCHEME
from kube.process.clock import Clock, SystemClock
from kube.process.health import Check
from kube.process.lifetime import run_process
from kube.process.log import get_logger
from kube.process.tasks import run_until

log = get_logger("kube-apiserver")
_GC_THRESHOLD: Final = 2_000, 10, 20      # Python's 700 is met several times by one large request; 10,000 took 20 ms in the second round


class Readiness:
    """The state behind the health pages."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self.bootstrapped = False
        self.stopping = False

    def checks(self) -> dict[str, dict[str, Check]]:
        live: dict[str, Check] = {
            "ping": lambda: True,
            "log": lambda: True,
            "etcd": lambda: self._cache.ready,
            "poststarthook/rbac/bootstrap-roles": lambda: self.bootstrapped,
            "poststarthook/scheduling/bootstrap-system-priority-classes": lambda: self.bootstrapped,
        }
        ready: dict[str, Check] = {
            **live,
            "informer-sync": lambda: self._cache.ready,
            "shutdown": lambda: not self.stopping,
        }
        return {"livez": live, "readyz": ready, "healthz": live}


async def run(config: ApiserverConfig, stop: asyncio.Event) -> None:
    clock = SystemClock()
    async with (
        EtcdStore.connect(config.etcd_endpoints, config.etcd_tls, config.encryption_provider_config) as store,
        _background() as tasks,
    ):
        cache = WatchCache(store, SCHEME, events_per_resource=config.watch_cache_events)
        store.pace_by(cache.keep_up)
        authorizer = Authorizer(cache, config=config)
        readiness = Readiness(cache)
        tasks.create_task(cache.run(), name="watch cache")
        async with NodeConnections.open(cache, config.kubelet_client_tls, config.node_service_port) as nodes:
            server = assemble(config, store, cache, authorizer, nodes, readiness.checks(), clock)
            server.custom.attach()
            server.aggregator.attach()
            tasks.create_task(server.custom.run(), name="custom resources")
            tasks.create_task(server.reloading.run(), name="configuration files")
            if not await run_until(stop, _bootstrap(config, server, store, cache, clock), name="bootstrap"):
                return
            readiness.bootstrapped = True
            tasks.create_task(Compactor(store, clock).run(), name="compaction")
            tasks.create_task(server.repair.run(), name="allocation repair")
            tasks.create_task(FlowControlKeeper(server.api.writer, cache, SCHEME, clock).run(), name="flow control objects")
            tasks.create_task(server.legacy_tokens.run(), name="legacy token tracking")
            tasks.create_task(server.lifecycle.run(), name="custom resource definitions")
            tasks.create_task(server.aggregator.run(), name="aggregation")
            await _serve(config, server, store, cache, clock, readiness, stop)


async def _bootstrap(config: ApiserverConfig, server: Apiserver, store: EtcdStore, cache: WatchCache, clock: Clock) -> None:
    await cache.wait_ready()
    bootstrap = Bootstrap(server.api.writer, cache, SCHEME, clock)
    policy = asyncio.create_task(ensure_bootstrap_policy(store, cache, clock), name="default policy")
    flows = asyncio.create_task(ensure_flow_objects(bootstrap), name="flow control")
    for obj in (*system_objects(config), tracking_config(clock)):
        await bootstrap.ensure(obj)
    await bootstrap.ensure_kubernetes_service(server.ips, config.secure_port)
    await policy
    await flows
    await cache.fresh()
    await server.custom.settled()


async def _serve(
    config: ApiserverConfig, server: Apiserver, store: EtcdStore, cache: WatchCache, clock: Clock, readiness: Readiness,
    stop: asyncio.Event,
) -> None:
    async with (
        serve_https(
            server.http, config.serving_tls, config.secure_port, config.listen_fds, config.requestheader_client_ca_file
        ) as https_port,
        serve_grpc(server.grpc, config.serving_tls, config.grpc_port) as grpc_port,
    ):
        log.info("serving", https_port=https_port, grpc_port=grpc_port)
        writer = server.api.writer
        endpoints = KubernetesEndpoints(
            store, writer, Bootstrap(writer, cache, SCHEME, clock), clock, config.name, config.advertise_address, https_port
        )
        _keep_what_is_there()
        async with _background() as tasks:
            tasks.create_task(endpoints.run(), name="endpoints of Service kubernetes")
            await stop.wait()
        readiness.stopping = True
        await endpoints.withdraw()
        server.api.watching.close_all()


def _keep_what_is_there() -> None:
    """What is there when the doors open stays; the garbage collector's rounds, for which every request waits, need not go through it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)


class Background:
    """Tasks that live as long as the context; the first that fails ends it."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._started: list[asyncio.Task[None]] = []

    def create_task(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        self._started.append(self._group.create_task(work, name=name))

    def cancel(self) -> None:
        for task in self._started:
            task.cancel()


@asynccontextmanager
async def _background() -> AsyncIterator[Background]:
    async with asyncio.TaskGroup() as group:
        background = Background(group)
        yield background
        background.cancel()


def main(argv: Sequence[str] | None = None) -> int:
    # As Go's runtime does: the soft limit is often 1,024, and every watch is a connection.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return run_process("kube-apiserver", ApiserverConfig, run, argv, flag_groups(), REMOVED)
