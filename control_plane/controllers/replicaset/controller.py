"""The ReplicaSet controller, and the same for ReplicationControllers. Follows upstream's pkg/controller/{replicaset,replication}."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import msgspec

from control_plane.controllers.indexes import BY_CONTROLLER, ORPHANS, index_by_owner
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.ownership import Claimer, is_namespace_terminating
from control_plane.controllers.pods import is_active, is_ready, is_terminating
from control_plane.controllers.replicaset.expectations import Expectations
from control_plane.controllers.replicaset.kinds import Replicated, selector_of
from control_plane.controllers.replicaset.plan import Plan, plan_replicas, pod_from_template, slow_start_batches
from control_plane.controllers.replicaset.status import calculate_status, differs
from kube.api.apps_v1 import ReplicaSet
from kube.api.core_v1 import Pod, ReplicationController
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.informer import Informer
from kube.client.objects import controller_of, key_of

STATUS_TRIES = 2


class ReplicaSetController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, name: str = "replicaset", kind: type[Replicated] = ReplicaSet) -> None:
        super().__init__(name, context)
        self._kind = kind
        self._expectations = Expectations()
        self._replica_sets: Informer[Replicated] = self.informer(kind)
        self._pods = self.informer(Pod)
        index_by_owner(self._replica_sets)
        index_by_owner(self._pods)
        self._replica_sets.add_handler(self._enqueue, lambda _old, new: self._enqueue(new), self._on_deleted)
        self._pods.add_handler(self._on_pod_added, self._on_pod_updated, self._on_pod_gone)

    def _enqueue(self, rs: Replicated) -> None:
        self.queue.add(key_of(rs))

    def _on_deleted(self, rs: Replicated) -> None:
        self._expectations.forget(key_of(rs))
        self._enqueue(rs)

    def _on_pod_added(self, pod: Pod) -> None:
        if pod.metadata.deletion_timestamp:     # seen after a restart, or after a relist
            self._on_pod_gone(pod)
        elif (rs := self._owner(pod)) is not None:
            self._expectations.created(key_of(rs))
            self._enqueue(rs)
        else:
            self._enqueue_adopters(pod)

    def _on_pod_updated(self, old: Pod, pod: Pod) -> None:
        if old.metadata.uid != pod.metadata.uid:
            self._on_pod_gone(old)
            self._on_pod_added(pod)
            return
        if pod.metadata.deletion_timestamp:
            self._on_pod_gone(pod)
            return
        former, rs = self._owner(old), self._owner(pod)
        if former is not None and former is not rs:
            self._enqueue(former)
        if rs is None:
            self._enqueue_adopters(pod)
            return
        self._enqueue(rs)
        if not is_ready(old) and is_ready(pod) and rs.spec.min_ready_seconds:
            self.queue.add_after(key_of(rs), rs.spec.min_ready_seconds + 1)     # a second more: timestamps are whole seconds

    def _on_pod_gone(self, pod: Pod) -> None:
        if (rs := self._owner(pod)) is not None:
            self._expectations.deleted(key_of(rs), pod.metadata.uid)
            self._enqueue(rs)

    def _owner(self, pod: Pod) -> Replicated | None:
        ref = controller_of(pod)
        if ref is None or ref.kind != self._kind.GVK.kind:
            return None
        rs = self._replica_sets.get(NamespacedName(pod.metadata.namespace, ref.name))
        return rs if rs is not None and rs.metadata.uid == ref.uid else None

    def _enqueue_adopters(self, pod: Pod) -> None:
        if controller_of(pod) is None and pod.metadata.labels:
            for rs in self._replica_sets.store.list(pod.metadata.namespace):
                if selector_of(rs).matches(pod.metadata.labels):
                    self._enqueue(rs)

    async def reconcile(self, key: NamespacedName) -> Result:
        rs = self._replica_sets.get(key)
        if rs is None:
            self._expectations.forget(key)      # the garbage collector takes the Pods
            return DONE
        seen_all = self._expectations.satisfied(key, self.clock.monotonic())
        owned = await self._claim(rs)
        active = [pod for pod in owned if is_active(pod)]
        failure: errors.ApiError | None = None
        if seen_all and not rs.metadata.deletion_timestamp:
            try:
                await self._perform(rs, plan_replicas(rs, active, self._related(rs), self.clock.now()))
            except errors.ApiError as error:
                failure = error
        updated = await self._write_status(rs, active, sum(map(is_terminating, owned)), failure)
        if failure is not None:
            raise failure
        min_ready_seconds = updated.spec.min_ready_seconds or 0
        if min_ready_seconds and (updated.status.ready_replicas or 0) != (updated.status.available_replicas or 0):
            return Result(requeue_after_s=min_ready_seconds)    # clocks differ: the timer set by the Pod's event may be early
        return DONE

    async def _claim(self, rs: Replicated) -> list[Pod]:
        candidates = self._pods.by_index(BY_CONTROLLER, rs.metadata.uid)
        candidates += [pod for pod in self._pods.by_index(ORPHANS, rs.metadata.namespace) if is_active(pod)]
        return await Claimer(self.client, rs, Pod).claim_all(selector_of(rs), candidates)

    def _related(self, rs: Replicated) -> list[Pod]:
        """The Pods of all ReplicaSets of the same Deployment: a rollout spreads over the Nodes that the old Pods leave."""
        ref = controller_of(rs)
        family = [rs] if ref is None else self._replica_sets.by_index(BY_CONTROLLER, ref.uid)
        return [pod for member in family for pod in self._pods.by_index(BY_CONTROLLER, member.metadata.uid)]

    async def _perform(self, rs: Replicated, plan: Plan) -> None:
        key, now = key_of(rs), self.clock.monotonic()
        if plan.create:
            self._expectations.expect(key, now, creations=plan.create)
            await self._create_pods(rs, plan.create)
        elif plan.delete:
            self._expectations.expect(key, now, deletions=tuple(pod.metadata.uid for pod in plan.delete))
            await _first_error([self._delete_pod(rs, pod) for pod in plan.delete])

    async def _create_pods(self, rs: Replicated, count: int) -> None:
        key, pod, left = key_of(rs), pod_from_template(rs), count
        try:
            for size in slow_start_batches(count):
                left -= size
                await _first_error([self._create_pod(rs, pod) for _ in range(size)])
        finally:
            for _ in range(left):       # never sent: nothing to wait for
                self._expectations.created(key)

    async def _create_pod(self, rs: Replicated, pod: Pod) -> None:
        try:
            created = await self.client.create(pod)
        except errors.ApiError as error:
            self._expectations.created(key_of(rs))
            if is_namespace_terminating(error):
                return
            self.events.event(rs, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self.events.event(rs, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")

    async def _delete_pod(self, rs: Replicated, pod: Pod) -> None:
        try:
            await self.client.delete(Pod, key_of(pod), uid=pod.metadata.uid)
        except (errors.NotFound, errors.Conflict):
            self._expectations.deleted(key_of(rs), pod.metadata.uid)        # gone, or another Pod of that name by now
        except errors.ApiError as error:
            self._expectations.deleted(key_of(rs), pod.metadata.uid)
            self.events.event(rs, "Warning", "FailedDelete", f"Error deleting: {error}")
            raise
        else:
            self.events.event(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")

    async def _write_status(
        self, rs: Replicated, active: list[Pod], terminating: int, failure: errors.ApiError | None
    ) -> Replicated:
        for attempt in range(STATUS_TRIES):
            status = calculate_status(rs, active, terminating, failure, self.clock.now())
            if not differs(rs.status, status):
                return rs
            try:
                return await self.client.update_status(msgspec.structs.replace(rs, status=status))
            except errors.NotFound:
                return rs
            except errors.Conflict:
                if attempt == STATUS_TRIES - 1:
                    raise
                rs = await self.client.get(self._kind, key_of(rs))
        return rs


class ReplicationControllerController(ReplicaSetController):
    """The older kind, by the same code."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context, "replication", ReplicationController)


async def _first_error(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs all at once to their end, then raises the first ApiError among them."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
