"""The resource quota controller. Follows upstream's pkg/controller/resourcequota.

The apiserver charges quotas; this controller gives back and counts. What an object that went or shrank had cost is taken off at once.
Everything is counted anew when a quota is new or changed, every few minutes, and (other than upstream) soon after each charge: what was
charged for writes that failed afterwards is free again at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from control_plane.controllers.custom_kinds import CustomKinds
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.resource_quota.changes import as_json
from control_plane.controllers.resource_quota.freed import Freed, less, price
from control_plane.controllers.resource_quota.settling import Settling
from control_plane.controllers.resource_quota.surroundings import WatchedSurroundings
from control_plane.controllers.resource_quota.watches import DEVICE_CLASSES, Watches
from control_plane.quota.amounts import Amounts, add, masked, read_amounts, same, written
from control_plane.quota.evaluator import Evaluator, counted
from control_plane.quota.pods import PODS, is_extended_request
from control_plane.quota.registry import Evaluators
from control_plane.quota.resource_claims import COUNT_CLAIMS, DEVICES
from kube.api.core_v1 import ResourceQuota
from kube.apimachinery import errors
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupResource
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

RESYNC_S: Final = 300.0      # kube-controller-manager's --resource-quota-sync-period
AT_ONCE: Final = 100         # objects counted before others have a turn
AGAIN_S: Final = 1.0         # when something could not be listed yet


class _Snapshot(NamedTuple):
    """Whose objects can be counted, and these, all of one instant."""

    objects: list[tuple[Evaluator, Sequence[Any]]]
    complete: bool


class ResourceQuotaController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, resync_s: float = RESYNC_S, settling: Settling | None = None) -> None:
        super().__init__("resourcequota", context)
        self._resync_s = resync_s
        self._settling = settling or Settling(context.clock)
        self._watches = Watches(context.informers, self._on_freed)
        self._evaluators = Evaluators(WatchedSurroundings(self._watches))
        self._uncounted: set[NamespacedName] = set()           # to be counted as soon as that can be trusted
        self._freed: dict[NamespacedName, list[Freed]] = {}    # not yet taken off
        self._written: dict[NamespacedName, Amounts] = {}      # what this controller wrote last
        self._quotas = self.informer(ResourceQuota)
        self._quotas.add_handler(self._on_quota, self._on_update, lambda gone: self._forget(key_of(gone)))
        CustomKinds(self, self._on_kinds)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run(), name=self.name)
            if self._resync_s > 0:
                tasks.create_task(self._resync(), name=f"{self.name} resync")

    async def _resync(self) -> None:
        while True:
            await self.clock.sleep(self._resync_s)
            for quota in self._quotas.store.list():
                self._on_quota(quota)

    def _on_quota(self, quota: ResourceQuota) -> None:
        self._uncounted.add(key_of(quota))
        self.queue.add(key_of(quota))

    def _on_update(self, old: ResourceQuota, new: ResourceQuota) -> None:
        key = key_of(new)
        if old.metadata.uid != new.metadata.uid:
            self._forget(key)
        if old.spec != new.spec or old.metadata.uid != new.metadata.uid:
            self._on_quota(new)
        if old.status != new.status and not self._is_ours(key, new):
            self._settling.charged(key)
            self._uncounted.add(key)
            self.queue.add_after(key, self._settling.settle_s)

    def _is_ours(self, key: NamespacedName, quota: ResourceQuota) -> bool:
        wrote = self._written.get(key)
        return wrote is not None and same(read_amounts(quota.status.used), wrote) and same(
            read_amounts(quota.status.hard), read_amounts(quota.spec.hard))

    def _forget(self, key: NamespacedName) -> None:
        self._settling.forget(key)
        self._uncounted.discard(key)
        self._freed.pop(key, None)
        self._written.pop(key, None)

    def _on_freed(self, resource: GroupResource, old: Any, new: Any) -> None:
        for quota in self._quotas.store.list(old.metadata.namespace):
            if self._evaluators.of(resource).names(quota.spec.hard):
                self._freed.setdefault(key_of(quota), []).append(Freed(resource, old, new))
                self.queue.add(key_of(quota))

    def _on_kinds(self) -> None:
        self._watches.follow_kinds()
        for quota in self._quotas.store.list():
            if any(name.startswith("count/") for name in quota.spec.hard):
                self._on_quota(quota)

    async def reconcile(self, key: NamespacedName) -> Result:
        if (quota := self._quotas.get(key)) is None:
            return DONE
        hard = read_amounts(quota.spec.hard)
        ready = await self._ready(hard)
        quota = self._quotas.get(key)
        if quota is None or not same(hard, read_amounts(quota.spec.hard)):
            return DONE      # its change comes as a key of its own

        # From here to the snapshot nothing else runs: what is gone has either been freed or is not counted, never both.
        held = read_amounts(quota.status.used)
        is_new = not same(hard, read_amounts(quota.status.hard)) or any(
            name not in held for evaluator in ready for name in evaluator.names(hard))
        wait_s = self._settling.wait_s(key)
        counts = is_new or (key in self._uncounted and not wait_s)
        snapshot = self._snapshot(quota, hard, ready if counts else ())
        freed = self._freed.pop(key, [])
        if counts and not wait_s:
            self._uncounted.discard(key)
            self._settling.forget(key)

        try:
            amounts, certain = price(_scopes(quota), hard, freed, self._evaluators, self._watches, self.clock.now())
            used = less(held, amounts)
            if not certain and (wait_s or not counts):
                self._uncounted.add(key)
            if counts:
                found = await self._count(quota, hard, snapshot)
                # Of what is being charged right now the charges say more than a count.
                used = {**found, **used} if wait_s else {**used, **found}
            used = masked(used, hard)
            if is_new or not same(used, held):
                await self._write(key, quota, hard, used)
        except BaseException:
            self._freed[key] = [*freed, *self._freed.get(key, [])]
            self._uncounted.add(key)
            raise
        return self._next(key, is_new=is_new, complete=snapshot.complete or not counts, wait_s=wait_s)

    def _next(self, key: NamespacedName, *, is_new: bool, complete: bool, wait_s: float) -> Result:
        if not complete:
            self._uncounted.add(key)
            return Result(requeue_after_s=AGAIN_S)
        if is_new:      # what was written while nobody knew yet of the new bounds was charged to nobody: look once more
            self._uncounted.add(key)
            return Result(requeue_after_s=self._settling.settle_s)
        return Result(requeue_after_s=wait_s) if key in self._uncounted else DONE

    async def _ready(self, hard: Amounts) -> list[Evaluator]:
        """Of whose objects the quota is about and which are served; most of them are here, after a short wait for them."""
        if any(name.endswith(DEVICES) or name == COUNT_CLAIMS or is_extended_request(name) for name in hard):
            await self._watches.need([DEVICE_CLASSES, PODS])
        wanted = [evaluator for evaluator in self._evaluators.concerned(hard) if self._watches.serves(evaluator.resource)]
        await self._watches.need([evaluator.resource for evaluator in wanted])
        return wanted

    def _snapshot(self, quota: ResourceQuota, hard: Amounts, evaluators: Sequence[Evaluator]) -> _Snapshot:
        objects = [
            (evaluator, self._watches.objects(evaluator.resource, quota.metadata.namespace))
            for evaluator in evaluators if self._watches.is_synced(evaluator.resource)
        ]
        return _Snapshot(objects, len(objects) == len(evaluators))

    async def _count(self, quota: ResourceQuota, hard: Amounts, snapshot: _Snapshot) -> Amounts:
        asked, now = _scopes(quota), self.clock.now()
        used: Amounts = {}
        for evaluator, objects in snapshot.objects:
            if not self._watches.is_whole(evaluator.resource):      # each costs as much as any other
                each = counted(evaluator, asked, hard, ({},), now)
                used = add(used, {name: amount * len(objects) for name, amount in each.items()})
                continue
            used = add(used, counted(evaluator, asked, hard, (), now))
            for first in range(0, len(objects), AT_ONCE):
                part = [as_json(obj) for obj in objects[first:first + AT_ONCE]]
                used = add(used, counted(evaluator, asked, hard, part, now))
                await asyncio.sleep(0)
        return used

    async def _write(self, key: NamespacedName, quota: ResourceQuota, hard: Amounts, used: Amounts) -> None:
        status = msgspec.structs.replace(quota.status, hard=written(hard), used=written(used))
        self._written[key] = used
        try:
            await self.client.update_status(msgspec.structs.replace(quota, status=status))
        except errors.NotFound:
            self._forget(key)


def _scopes(quota: ResourceQuota) -> JsonObject:
    """As the evaluators read quotas."""
    return {"spec": as_json(quota.spec)}
