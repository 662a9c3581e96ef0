"""Composition root of kube-scheduler."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from control_plane.scheduler.config import SchedulerConfig
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.delegated_auth import DelegatedAuth
from kube.client.events import EventRecorder
from kube.client.grpc_transport import GrpcTransport
from kube.client.informer import InformerFactory
from kube.client.leader_election import LeaderElector, lead_until
from kube.process.clock import SystemClock
from kube.process.health import serve_health
from kube.process.lifetime import run_process
from kube.process.tls import server_context

LEASE = NamespacedName("kube-system", "kube-scheduler")


async def run(config: SchedulerConfig, stop: asyncio.Event) -> None:
    # numpy comes in only here: its BLAS, of which nothing is used, would start threads in the zygote and hold memory per thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from control_plane.scheduler.cache import SchedulerCache
    from control_plane.scheduler.event_handlers import EventHandlers
    from control_plane.scheduler.node_table import NodeTable
    from control_plane.scheduler.profile import default_profile
    from control_plane.scheduler.scheduler import Scheduler
    from control_plane.scheduler.scheduling_queue import SchedulingQueue
    from control_plane.scheduler.volume_objects import VolumeObjects
    from control_plane.scheduler.workloads import Workloads

    clock = SystemClock()
    tls = server_context(config.serving_tls) if config.serving_tls else None
    async with (
        Client(GrpcTransport(config.apiserver), field_manager="kube-scheduler") as client,
        EventRecorder(client, "default-scheduler") as events,
    ):
        nodes = NodeTable()
        cache = SchedulerCache(nodes)
        async with InformerFactory(client) as informers:
            profile = default_profile(cache, client, Workloads(informers).default_selector, VolumeObjects(client, informers))
            queue = SchedulingQueue(
                profile, clock, initial_backoff_s=config.pod_initial_backoff_s, max_backoff_s=config.pod_max_backoff_s)
            scheduler = Scheduler(client, events, profile, cache, queue, nodes, clock)
            EventHandlers(cache, queue, profile.scheduler_name).register(informers)
            await informers.start()
            ready = {"informer-sync": lambda: informers.synced}
            async with serve_health(config.health_port, ready=ready, tls=tls, guard=DelegatedAuth(client).check):

                async def work() -> None:
                    await informers.wait_synced()
                    await scheduler.run()

                await lead_until(stop, work, LeaderElector(client, LEASE, config.identity, clock=clock) if config.leader_elect else None)


def main(argv: Sequence[str] | None = None) -> int:
    return run_process("kube-scheduler", SchedulerConfig, run, argv)
