"""The resource quota controller. Follows upstream's pkg/controller/resourcequota.

The apiserver charges quotas; this controller counts: when a quota is new or changed, when something that it counts is gone or gives
something back, every few minutes, and (other than upstream) soon after each charge, so that what was charged for writes that failed
afterwards is free again at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from control_plane.controllers.custom_kinds import CustomKinds
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.resource_quota.changes import as_json
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


class ResourceQuotaController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, resync_s: float = RESYNC_S, settling: Settling | None = None) -> None:
        super().__init__("resourcequota", context)
        self._resync_s = resync_s
        self._settling = settling or Settling(context.clock)
        self._watches = Watches(context.informers, context.clock, self._on_freed)
        self._evaluators = Evaluators(WatchedSurroundings(self._watches))
        self._counted: dict[NamespacedName, Amounts] = {}      # what this controller wrote last
        self._quotas = self.informer(ResourceQuota)
        self._quotas.add_handler(self._on_quota, self._on_update, self._on_gone)
        CustomKinds(self, self._on_kinds)

    @property
    def watched(self) -> int:
        """How many resources are counted."""
        return len(self._watches)

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
        self.queue.add(key_of(quota))

    def _on_update(self, old: ResourceQuota, new: ResourceQuota) -> None:
        key = key_of(new)
        if old.spec != new.spec or old.metadata.uid != new.metadata.uid:
            self.queue.add(key)
        if old.status != new.status and not self._is_ours(key, new):
            self._settling.charged(key)
            self.queue.add_after(key, self._settling.settle_s)

    def _is_ours(self, key: NamespacedName, quota: ResourceQuota) -> bool:
        counted = self._counted.get(key)
        return counted is not None and same(read_amounts(quota.status.used), counted) and same(
            read_amounts(quota.status.hard), read_amounts(quota.spec.hard))

    def _on_gone(self, quota: ResourceQuota) -> None:
        self._settling.forget(key_of(quota))
        self._counted.pop(key_of(quota), None)

    def _on_freed(self, resource: GroupResource, namespace: str) -> None:
        for quota in self._quotas.store.list(namespace) if namespace else ():
            if self._evaluators.of(resource).names(quota.spec.hard):
                self._settling.freed(key_of(quota))
                self.queue.add(key_of(quota))

    def _on_kinds(self) -> None:
        self._watches.follow_kinds()
        for quota in self._quotas.store.list():
            if any(name.startswith("count/") for name in quota.spec.hard):
                self.queue.add(key_of(quota))

    async def reconcile(self, key: NamespacedName) -> Result:
        quota = self._quotas.get(key)
        if quota is None:
            return DONE
        hard, held = read_amounts(quota.spec.hard), read_amounts(quota.status.used)
        concerned = [one for one in self._evaluators.concerned(hard) if self._watches.serves(one.resource)]
        is_new = not same(hard, read_amounts(quota.status.hard)) or any(
            name not in held for evaluator in concerned for name in evaluator.names(hard))
        wait_s = self._settling.wait_s(key)
        if wait_s and not is_new:
            return Result(requeue_after_s=wait_s)
        if not wait_s:
            self._settling.counting(key)
        evaluators = await self._ready(hard)
        used = await self._count(quota, hard, evaluators)
        if wait_s:
            used |= held      # of what is being charged right now the charges say more than a count
        used = masked({**held, **used}, hard)
        if is_new or not same(used, held):
            await self._write(key, quota, hard, used)
        if len(evaluators) < len(concerned):
            return Result(requeue_after_s=AGAIN_S)
        # What is written while nobody knows yet of the new bounds is charged to nobody: look once more.
        return Result(requeue_after_s=self._settling.settle_s) if is_new else DONE

    async def _ready(self, hard: Amounts) -> list[Evaluator]:
        """Of whose objects the quota is about, and whose are all here."""
        if any(name.endswith(DEVICES) or name == COUNT_CLAIMS or is_extended_request(name) for name in hard):
            await self._watches.need([DEVICE_CLASSES, PODS])
        wanted = [evaluator for evaluator in self._evaluators.concerned(hard) if self._watches.serves(evaluator.resource)]
        held = await self._watches.need([evaluator.resource for evaluator in wanted])
        return [evaluator for evaluator in wanted if evaluator.resource in held]

    async def _count(self, quota: ResourceQuota, hard: Amounts, evaluators: Sequence[Evaluator]) -> Amounts:
        asked: JsonObject = {"spec": as_json(quota.spec)}
        used: Amounts = {}
        for evaluator in evaluators:
            objects = self._watches.objects(evaluator.resource, quota.metadata.namespace)
            if not self._watches.is_whole(evaluator.resource):      # each costs as much as any other
                each = counted(evaluator, asked, hard, ({},), self.clock.now())
                used = add(used, {name: amount * len(objects) for name, amount in each.items()})
                continue
            used = add(used, counted(evaluator, asked, hard, (), self.clock.now()))
            for first in range(0, len(objects), AT_ONCE):
                part = [as_json(obj) for obj in objects[first:first + AT_ONCE]]
                used = add(used, counted(evaluator, asked, hard, part, self.clock.now()))
                await asyncio.sleep(0)
        return used

    async def _write(self, key: NamespacedName, quota: ResourceQuota, hard: Amounts, used: Amounts) -> None:
        status = msgspec.structs.replace(quota.status, hard=written(hard), used=written(used))
        self._counted[key] = used
        try:
            await self.client.update_status(msgspec.structs.replace(quota, status=status))
        except errors.NotFound:
            self._on_gone(quota)

