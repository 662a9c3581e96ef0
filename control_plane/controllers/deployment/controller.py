"""The Deployment controller. Follows upstream's pkg/controller/deployment."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from control_plane.controllers.deployment.replica_sets import clean_up, resize_all
from control_plane.controllers.deployment.revisions import Revisions, Rollout
from control_plane.controllers.deployment.rolling import Resize, is_rolling, plan_new, plan_old, wanted
from control_plane.controllers.deployment.scaling import is_scaling_event, plan_scale
from control_plane.controllers.deployment.status import (
    PAUSED,
    PROGRESSING,
    RESUMED,
    TIMED_OUT,
    calculate_status,
    differs,
    find,
    has_deadline,
    is_complete,
    new_condition,
    seconds_to_deadline,
    with_condition,
    with_progress,
)
from control_plane.controllers.deployment.template import active, find_new, size
from control_plane.controllers.indexes import BY_CONTROLLER, ORPHANS, index_by_owner
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.ownership import Claimer, is_namespace_terminating
from control_plane.controllers.pods import is_terminated
from kube.api.apps_v1 import Deployment, ReplicaSet
from kube.api.core_v1 import Pod
from kube.api.meta_v1 import LabelSelector
from kube.apimachinery import errors
from kube.apimachinery.labels import selector_from_label_selector
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import controller_of, key_of


class DeploymentController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("deployment", context)
        self._revisions = Revisions(self.client, self.events, self.clock)
        self._deployments = self.informer(Deployment)
        self._replica_sets = self.informer(ReplicaSet)
        self._pods = self.informer(Pod)
        index_by_owner(self._replica_sets)
        index_by_owner(self._pods)
        self._deployments.on_change(lambda deployment: self.queue.add(key_of(deployment)))
        self._replica_sets.add_handler(self._on_replica_set, self._on_replica_set_updated, self._on_replica_set)
        self._pods.add_handler(on_delete=self._on_pod_deleted)

    def _on_replica_set(self, rs: ReplicaSet) -> None:
        owner = controller_of(rs)
        if owner is not None:
            if owner.kind == "Deployment":
                self.queue.add(NamespacedName(rs.metadata.namespace, owner.name))
            return
        for deployment in self._deployments.store.list(rs.metadata.namespace):
            if _selects(deployment, rs.metadata.labels):
                self.queue.add(key_of(deployment))

    def _on_replica_set_updated(self, old: ReplicaSet, rs: ReplicaSet) -> None:
        if controller_of(old) != controller_of(rs) and controller_of(old) is not None:
            self._on_replica_set(old)
        self._on_replica_set(rs)

    def _on_pod_deleted(self, pod: Pod) -> None:
        """Recreate waits for the last old Pod to be gone."""
        owner = controller_of(pod)
        if owner is None or owner.kind != "ReplicaSet":
            return
        rs = self._replica_sets.get(NamespacedName(pod.metadata.namespace, owner.name))
        ref = controller_of(rs) if rs is not None else None
        if ref is None:
            return
        key = NamespacedName(pod.metadata.namespace, ref.name)
        deployment = self._deployments.get(key)
        if deployment is not None and not is_rolling(deployment):
            self.queue.add(key)

    async def reconcile(self, key: NamespacedName) -> Result:
        deployment = self._deployments.get(key)
        if deployment is None:
            return DONE
        try:
            return await self._sync(deployment)
        except errors.NotFound:
            return DONE         # it, or a ReplicaSet of it, has just gone: the event of that brings it back
        except errors.Forbidden as error:
            if is_namespace_terminating(error):
                return DONE
            raise

    async def _sync(self, deployment: Deployment) -> Result:
        if deployment.spec.selector is None or deployment.spec.selector == LabelSelector():
            self.events.event(deployment, "Warning", "SelectingAll",
                              "This deployment is selecting all pods. A non-empty selector is required.")
            return DONE
        replica_sets = await self._claim(deployment)
        if deployment.metadata.deletion_timestamp:
            new = find_new(deployment, replica_sets)
            await self._write_status(Rollout(deployment, new, [rs for rs in replica_sets if rs is not new]), progress=False)
            return DONE
        deployment = await self._note_pause(deployment)
        if deployment.spec.paused or is_scaling_event(deployment, replica_sets):
            rollout = await self._scale(deployment, replica_sets)
            await self._write_status(rollout, progress=False)
            return DONE
        roll = self._roll if is_rolling(deployment) else self._recreate
        return await self._write_status(await roll(deployment, replica_sets), progress=True)

    async def _claim(self, deployment: Deployment) -> list[ReplicaSet]:
        candidates = self._replica_sets.by_index(BY_CONTROLLER, deployment.metadata.uid)
        candidates += self._replica_sets.by_index(ORPHANS, deployment.metadata.namespace)
        selector = selector_from_label_selector(deployment.spec.selector)
        return await Claimer(self.client, deployment, ReplicaSet).claim_all(selector, candidates)

    async def _note_pause(self, deployment: Deployment) -> Deployment:
        """The clock of progressDeadlineSeconds stands still while a Deployment is paused, and starts anew after."""
        held = find(deployment.status.conditions, PROGRESSING)
        if not has_deadline(deployment) or (held is not None and held.reason == TIMED_OUT):
            return deployment
        noted = held is not None and held.reason == PAUSED
        if bool(deployment.spec.paused) == noted:
            return deployment
        reason, message = (PAUSED, "Deployment is paused") if deployment.spec.paused else (RESUMED, "Deployment is resumed")
        condition = new_condition(PROGRESSING, "Unknown", reason, message, self.clock.now())
        conditions = with_condition(deployment.status.conditions, condition)
        status = msgspec.structs.replace(deployment.status, conditions=conditions)
        return await self.client.update_status(msgspec.structs.replace(deployment, status=status))

    async def _scale(self, deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> Rollout:
        rollout = await self._revisions.find(deployment, replica_sets, create=False)
        await self._resize(rollout, plan_scale(rollout.deployment, rollout.new, rollout.old))
        if deployment.spec.paused:
            await clean_up(self.client, deployment, rollout.old)
        return rollout

    async def _roll(self, deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> Rollout:
        """One step; the ReplicaSets' changed status brings the next."""
        rollout = await self._revisions.find(deployment, replica_sets, create=True)
        assert rollout.new is not None
        step = plan_new(rollout.deployment, rollout.all_sets, rollout.new)
        if step is not None and await self._resize(rollout, [step]):
            return rollout
        if await self._resize(rollout, plan_old(rollout.deployment, rollout.new, rollout.old)):
            return rollout
        return await self._finish(rollout)

    async def _recreate(self, deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> Rollout:
        """All old Pods go before the first new one comes."""
        rollout = await self._revisions.find(deployment, replica_sets, create=False)
        if await self._resize(rollout, [Resize(rs, 0) for rs in active(rollout.old)]) or self._old_pods_run(rollout):
            return rollout
        if rollout.new is None:
            rollout = await self._revisions.find(rollout.deployment, replica_sets, create=True)
        assert rollout.new is not None
        if size(rollout.new) != wanted(deployment):
            await self._resize(rollout, [Resize(rollout.new, wanted(deployment))])
        return await self._finish(rollout)

    def _old_pods_run(self, rollout: Rollout) -> bool:
        if sum(rs.status.replicas or 0 for rs in rollout.old) > 0:
            return True
        pods = (pod for rs in rollout.old for pod in self._pods.by_index(BY_CONTROLLER, rs.metadata.uid))
        return any(not is_terminated(pod) for pod in pods)

    async def _finish(self, rollout: Rollout) -> Rollout:
        if is_complete(rollout.deployment, rollout.deployment.status):
            await clean_up(self.client, rollout.deployment, rollout.old)
        return rollout

    async def _resize(self, rollout: Rollout, plan: Sequence[Resize]) -> bool:
        return await resize_all(self.client, self.events, rollout.deployment, plan)

    async def _write_status(self, rollout: Rollout, *, progress: bool) -> Result:
        deployment, now = rollout.deployment, self.clock.now()
        status = calculate_status(deployment, rollout.all_sets, rollout.new, now)
        if progress:
            status = with_progress(deployment, status, rollout.all_sets, rollout.new, now)
        if differs(deployment.status, status):
            await self.client.update_status(msgspec.structs.replace(deployment, status=status))
            return DONE     # its own change brings it back
        return Result(requeue_after_s=seconds_to_deadline(deployment, status, now)) if progress else DONE


def _selects(deployment: Deployment, labels: dict[str, str]) -> bool:
    return deployment.spec.selector is not None and selector_from_label_selector(deployment.spec.selector).matches(labels)
