"""Informers -> ledger -> kernel.

Handlers note which Services changed; one loop plans those, makes one transaction of all, applies it and looks again. While a transaction is
under way changes gather for the next, so there is no timer: a change that comes alone is applied at once, a flood in large pieces.

When the kernel refuses a transaction, or the table is gone, everything is planned and written anew. So it is at the start: one transaction
replaces whatever table an earlier process left, and keeps what it remembered of clients (session affinity).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from kube.api.core_v1 import Node, Service
from kube.api.discovery_v1 import EndpointSlice
from kube.apimachinery.meta import NamespacedName
from kube.client.informer import InformerFactory
from kube.process.clock import Clock, from_rfc3339
from kube.process.log import get_logger
from netns.conntrack import forget_udp
from netns.errors import KernelError, NftError
from netns.kernel import KernelThread
from netns.nft import NftThread
from node_agent.proxy import metrics, stale, table
from node_agent.proxy.affinity import read_affinity
from node_agent.proxy.endpoints import SERVICE_NAME_LABEL
from node_agent.proxy.facts import NOTHING, ServiceFacts
from node_agent.proxy.ledger import Change, Ledger
from node_agent.proxy.planner import NodeFacts, plan_service

# Upstream's selector: other proxies' Services and headless ones never reach this process.
SELECTOR = "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"

_RETRY_STEP_S, _RETRY_CAP_S = 1.0, 30.0


class Proxier:
    def __init__(
        self,
        informers: InformerFactory,
        nft: NftThread,
        kernel: KernelThread,
        clock: Clock,
        node: NodeFacts,
        *,
        cluster_cidr: str,
        service_cidr: str,
        check_period_s: float = 30.0,
    ) -> None:
        self._nft, self._kernel, self._clock, self._node = nft, kernel, clock, node
        self._empty_table = table.empty_table(cluster_cidr, service_cidr)
        self._check_period_s = check_period_s
        self._services = informers.informer(Service, label_selector=SELECTOR)
        self._slices = informers.informer(EndpointSlice, label_selector=SELECTOR)
        self._nodes = informers.informer(Node, field_selector=f"metadata.name={node.name}")
        self._slices.add_index("service", lambda endpoint_slice: [key] if (key := service_of(endpoint_slice)) else [])
        self._ledger: Ledger | None = None             # None: the kernel's table is not known to be ours
        self._changed: dict[NamespacedName, None] = {}
        self._pod_cidr = ""
        self._triggers: list[float] = []               # when the changes happened that wait here
        self._wake = asyncio.Event()
        self._syncing = False
        self.last_queued = self.last_synced = 0.0      # on the wall clock, for the health page
        self._log = get_logger("proxier")

    async def run(self) -> None:
        """Until cancelled."""
        self._services.add_handler(self._on_service, lambda _, new: self._on_service(new), self._on_service)
        self._slices.add_handler(self._on_slice, self._on_slice_update, self._on_slice)
        self._nodes.on_change(lambda _: self._queue())
        for informer in (self._services, self._slices):
            await informer.wait_synced()
        failures = 0
        while True:
            self._wake.clear()
            self._syncing = True
            try:
                await self._sync()
                self._syncing = False
                failures = 0
                await self._wait()
            except NftError as error:
                metrics.SYNC_FAILURES.inc()
                self._log.warning("nftables refused a change, writing the table anew", error=str(error))
                self._ledger = None
                await self._clock.sleep(min(failures * _RETRY_STEP_S, _RETRY_CAP_S))     # the first time at once
                failures += 1

    @property
    def settled(self) -> bool:
        """Whether the kernel has everything that this process has been told."""
        return self._ledger is not None and not self._wake.is_set() and not self._syncing

    @property
    def node(self) -> Node | None:
        """This node's object, when it is known."""
        return self._nodes.get(NamespacedName("", self._node.name))

    def held(self, service: NamespacedName) -> ServiceFacts:
        """What the kernel holds of a Service."""
        return self._ledger.held(service) if self._ledger else NOTHING

    async def _wait(self) -> None:
        while not self._wake.is_set():
            try:
                await asyncio.wait_for(self._wake.wait(), self._check_period_s)
            except TimeoutError:
                if f"table ip {table.TABLE}\n" not in await self._nft.run("list tables"):
                    self._log.warning("the table is gone, writing it anew")
                    self._ledger = None
                    return

    async def _sync(self) -> None:
        started = time.monotonic()
        triggers, self._triggers = self._triggers, []
        full = self._ledger is None
        changes = await (self._write_all() if full else self._write_changed())
        await self._forget_flows(changes)
        took = time.monotonic() - started
        if full:
            metrics.SYNC_FULL_SECONDS.observe(took)
            self._log.info("wrote the table", services=len(changes), seconds=round(took, 4))
        if changes:
            metrics.SYNC_SECONDS.observe(took)
            self._log.debug("applied", services=len(changes), seconds=round(took, 4))
        self.last_synced = self._clock.now().timestamp()
        metrics.LAST_SYNC.set(self.last_synced)
        for trigger in triggers:
            metrics.PROGRAMMING_SECONDS.observe(max(0.0, self.last_synced - trigger))

    async def _write_all(self) -> list[Change]:
        self._changed.clear()
        remembered = await read_affinity(self._nft)
        ledger = Ledger()
        oldest_first = sorted(self._services.store.list(), key=lambda service: (service.metadata.creation_timestamp, key_of(service)))
        transaction, changes = ledger.change({key_of(service): self._plan(key_of(service)) for service in oldest_first})
        pod_cidr = self._known_pod_cidr()
        await self._nft.run("\n".join((self._empty_table, _own_pods(pod_cidr), transaction.text(), remembered)))
        self._ledger, self._pod_cidr = ledger, pod_cidr
        return changes

    async def _write_changed(self) -> list[Change]:
        assert self._ledger is not None
        plans = {key: self._plan(key) for key in self._changed}
        self._changed.clear()
        for key, plan in [*plans.items()]:
            plans |= {rival: self._plan(rival) for rival in self._ledger.waiting_for(key, plan) if rival not in plans}
        transaction, changes = self._ledger.change(plans)
        commands = [transaction.text()] if transaction else []
        if (pod_cidr := self._known_pod_cidr()) != self._pod_cidr:
            commands.append(_own_pods(pod_cidr))
        if commands:
            await self._nft.run("\n".join(commands))
            self._pod_cidr = pod_cidr
        return changes

    async def _forget_flows(self, changes: Iterable[Change]) -> None:
        answering = stale.answering((change.old, change.new) for change in changes)
        try:
            forgotten = await self._kernel.run_in(None, partial(forget_udp, answering)) if answering else 0
        except KernelError as error:
            self._log.warning("could not forget stale UDP flows", error=str(error))
            return
        if forgotten:
            self._log.debug("forgot stale UDP flows", count=forgotten)

    def _plan(self, key: NamespacedName) -> ServiceFacts:
        service = self._services.get(key)
        return plan_service(service, self._slices.by_index("service", key), self._node) if service else NOTHING

    def _known_pod_cidr(self) -> str:
        return self.node.spec.pod_cidr if self.node else ""

    def _on_service(self, service: Service) -> None:
        metrics.SERVICE_CHANGES.inc()
        self._queue(key_of(service))

    def _on_slice(self, endpoint_slice: EndpointSlice) -> None:
        metrics.ENDPOINT_CHANGES.inc()
        if key := service_of(endpoint_slice):
            self._queue(key)
        if (trigger := endpoint_slice.metadata.annotations.get(TRIGGER_TIME)) and self._ledger is not None:
            with suppress(ValueError):
                self._triggers.append(from_rfc3339(trigger).timestamp())

    def _on_slice_update(self, old: EndpointSlice, new: EndpointSlice) -> None:
        if (before := service_of(old)) and before != service_of(new):
            self._queue(before)
        self._on_slice(new)

    def _queue(self, key: NamespacedName | None = None) -> None:
        if key is not None:
            self._changed[key] = None
        self.last_queued = self._clock.now().timestamp()
        metrics.LAST_QUEUED.set(self.last_queued)
        self._wake.set()


def key_of(service: Service) -> NamespacedName:
    return NamespacedName(service.metadata.namespace, service.metadata.name)


def service_of(endpoint_slice: EndpointSlice) -> NamespacedName | None:
    name = endpoint_slice.metadata.labels.get(SERVICE_NAME_LABEL)
    return NamespacedName(endpoint_slice.metadata.namespace, name) if name else None


def _own_pods(pod_cidr: str) -> str:
    add = f"\nadd element ip {table.TABLE} {table.OWN_PODS} {{ {pod_cidr} }}" if pod_cidr else ""
    return f"flush set ip {table.TABLE} {table.OWN_PODS}{add}"
