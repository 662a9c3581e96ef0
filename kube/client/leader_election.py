"""Leader election by a Lease, with client-go's rules: of several processes one works, another takes over when it falls silent.

A candidate never compares clocks of two machines: a lease has expired when its record has not changed for the lease's
duration *as seen here*. The leader renews within `renew_deadline_s` or gives up, which is before anyone may take over.
"""

from __future__ import annotations

import asyncio
import random
import socket
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from kube.api.coordination_v1 import Lease, LeaseSpec
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.process.clock import Clock, SystemClock, to_rfc3339_micro
from kube.process.log import get_logger
from kube.process.tasks import run_until

JITTER: Final = 1.2

log = get_logger("leader_election")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderElectionConfig:
    """Defaults: those of kube-scheduler and kube-controller-manager."""

    lease_duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_period_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease_duration_s > self.renew_deadline_s > self.retry_period_s * JITTER:
            raise ValueError(
                f"lease_duration_s ({self.lease_duration_s}) must be above renew_deadline_s ({self.renew_deadline_s}), "
                f"and that above {JITTER} * retry_period_s ({self.retry_period_s})")


class LeadershipLost(Exception):
    """The lease could not be renewed in time: stop at once, another may lead already."""


def default_identity() -> str:
    """Hostname and a random part, so that two processes of one host differ."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


@dataclass(slots=True)
class _Observed:
    record: LeaseSpec | None = None
    at: float = field(default=0.0)


class LeaderElector:
    def __init__(
        self,
        client: Client,
        lease_key: NamespacedName,
        identity: str = "",
        config: LeaderElectionConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._key = lease_key
        self.identity = identity or default_identity()
        self._config = config or LeaderElectionConfig()
        self._clock: Clock = clock or SystemClock()
        self._observed = _Observed()
        self._lease: Lease | None = None
        self._log = log.bind(lease=str(lease_key), identity=self.identity)
        self.is_leader = False

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Waits for the lease, then runs `work` while it holds. Raises LeadershipLost; frees the lease when cancelled or done."""
        await self._acquire()
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew())
        try:
            await asyncio.wait((working, renewing), return_when=asyncio.FIRST_COMPLETED)
            if renewing.done() and not working.done():
                renewing.result()
            if working.done():
                working.result()
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            if self.is_leader:
                self.is_leader = False
                await self._release()

    async def _acquire(self) -> None:
        self._log.info("attempting to acquire leader lease")
        while not await self._try_acquire_or_renew():
            await self._clock.sleep(self._config.retry_period_s * random.uniform(1.0, JITTER))
        self.is_leader = True
        self._log.info("became leader")

    async def _renew(self) -> None:
        renewed = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._config.retry_period_s)
            remaining_s = self._config.renew_deadline_s - (self._clock.monotonic() - renewed)
            try:
                async with asyncio.timeout(max(0.0, remaining_s)):
                    held = await self._try_acquire_or_renew()
            except TimeoutError:
                held = False
            now = self._clock.monotonic()
            if held:
                renewed = now
            elif now - renewed >= self._config.renew_deadline_s or self._held_by_other():
                self.is_leader = False
                raise LeadershipLost(f"lease {self._key}: not renewed within {self._config.renew_deadline_s} s")

    async def _try_acquire_or_renew(self) -> bool:
        try:
            lease = self._lease if self.is_leader and self._lease is not None else await self._client.get(Lease, self._key)
        except errors.NotFound:
            return await self._create()
        except errors.ApiError as error:
            self._log.warning("lease cannot be read", error=str(error))
            return False
        self._observe(lease)
        spec = lease.spec
        if spec.holder_identity and spec.holder_identity != self.identity and not self._expired(spec):
            return False
        mine = spec.holder_identity == self.identity
        changed = self._record(
            acquire_time=spec.acquire_time if mine else None,
            transitions=(spec.lease_transitions or 0) + (0 if mine else 1),
        )
        return await self._write(msgspec.structs.replace(lease, spec=changed))

    async def _create(self) -> bool:
        lease = Lease(
            metadata=ObjectMeta(namespace=self._key.namespace, name=self._key.name),
            spec=self._record(acquire_time=None, transitions=0),
        )
        try:
            self._lease = await self._client.create(lease)
        except errors.ApiError as error:
            self._log.debug("lease cannot be created", error=str(error))
            return False
        self._observe(self._lease)
        return True

    async def _write(self, lease: Lease) -> bool:
        try:
            self._lease = await self._client.update(lease)
        except errors.ApiError as error:
            self._lease = None      # read it again before the next try
            self._log.debug("lease cannot be updated", error=str(error))
            return False
        self._observe(self._lease)
        return True

    async def _release(self) -> None:
        if self._lease is None:
            return
        now = to_rfc3339_micro(self._clock.now())
        spec = LeaseSpec(
            holder_identity="", lease_duration_seconds=1, acquire_time=now, renew_time=now,
            lease_transitions=self._lease.spec.lease_transitions,
        )
        try:
            async with asyncio.timeout(2):
                await self._client.update(msgspec.structs.replace(self._lease, spec=spec))
        except (errors.ApiError, TimeoutError) as error:
            self._log.debug("lease cannot be released", error=str(error))

    def _record(self, *, acquire_time: str | None, transitions: int) -> LeaseSpec:
        now: datetime = self._clock.now()
        return LeaseSpec(
            holder_identity=self.identity, lease_duration_seconds=round(self._config.lease_duration_s),
            acquire_time=acquire_time or to_rfc3339_micro(now), renew_time=to_rfc3339_micro(now), lease_transitions=transitions,
        )

    def _observe(self, lease: Lease) -> None:
        if self._observed.record != lease.spec:
            self._observed = _Observed(lease.spec, self._clock.monotonic())

    def _expired(self, spec: LeaseSpec) -> bool:
        return self._observed.at + (spec.lease_duration_seconds or 0) < self._clock.monotonic()

    def _held_by_other(self) -> bool:
        record = self._observed.record
        return record is not None and bool(record.holder_identity) and record.holder_identity != self.identity


async def lead_until(stop: asyncio.Event, work: Callable[[], Coroutine[Any, Any, None]], elector: LeaderElector | None) -> None:
    """Runs `work`, as the leader if there is an elector, until the stop signal; raises what ended it before that."""
    await run_until(stop, elector.run(work) if elector is not None else work(), name="work")
