"""The disruption controller: counts what PodDisruptionBudgets guard. Follows upstream's pkg/controller/disruption."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from control_plane.controllers.custom_kinds import CustomKinds
from control_plane.controllers.disruption.scales import ScaleError, Scales
from control_plane.controllers.disruption.status import counted, differs, disrupted, failed, needs_scale
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.apps_v1 import Deployment, ReplicaSet, StatefulSet
from kube.api.core_v1 import Pod, ReplicationController
from kube.api.policy_v1 import PodDisruptionBudget
from kube.apimachinery import errors
from kube.apimachinery.labels import SelectorError, selector_from_label_selector
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import Result
from kube.client.objects import key_of, resource_of

COUNT_AGAIN_S: Final = 30.0      # after a failure: what was missing need not be anything that is watched here
UNMANAGED: Final = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the PDB cannot "
    'be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" '
    "field of the PDB to an integer value."
)


class DisruptionController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("disruption", context)
        self.events = context.events.named("controllermanager")
        self._budgets = self.informer(PodDisruptionBudget)
        self._pods = self.informer(Pod)
        self._scales = Scales(
            self.client, self.informer(ReplicationController), self.informer(ReplicaSet), self.informer(Deployment),
            self.informer(StatefulSet))
        CustomKinds(self)
        self._budgets.add_handler(self._on_budget, lambda _old, new: self._on_budget(new))
        self._pods.add_handler(self._on_pod, self._on_pod_updated, self._on_pod)

    def _on_budget(self, budget: PodDisruptionBudget) -> None:
        self.queue.add(key_of(budget))

    def _on_pod(self, pod: Pod) -> None:
        guards = [budget for budget in self._budgets.store.list(pod.metadata.namespace) if _selects(budget, pod)]
        for budget in guards:
            self.queue.add(key_of(budget))
        if len(guards) > 1:
            self.events.event(
                pod, "Warning", "MultiplePodDisruptionBudgets",
                f'Pod "{pod.metadata.namespace}"/"{pod.metadata.name}" matches multiple PodDisruptionBudgets.  '
                f'Chose "{guards[0].metadata.name}" arbitrarily.')

    def _on_pod_updated(self, old: Pod, pod: Pod) -> None:
        if old.metadata.labels != pod.metadata.labels:
            for budget in self._budgets.store.list(old.metadata.namespace):
                if _selects(budget, old):
                    self.queue.add(key_of(budget))
        self._on_pod(pod)

    async def reconcile(self, key: NamespacedName) -> Result:
        budget = self._budgets.get(key)
        if budget is None:
            return Result()
        try:
            return await self._count(budget)
        except errors.Conflict:
            raise
        except (errors.ApiError, ScaleError, SelectorError, ValueError) as error:
            self.log.info("budget cannot be counted", budget=str(key), error=str(error))
            await self._write(budget, failed(budget, str(error), self.clock.now()))
            return Result(requeue_after_s=COUNT_AGAIN_S)

    async def _count(self, budget: PodDisruptionBudget) -> Result:
        selector = selector_from_label_selector(budget.spec.selector)
        pods = [pod for pod in self._pods.store.list(budget.metadata.namespace) if selector.matches(pod.metadata.labels)]
        if not pods:
            self.events.event(budget, "Normal", "NoPods", "No matching pods found")
        expected, unmanaged = await self._expected(budget, pods)
        if unmanaged:
            self.events.event(budget, "Warning", "UnmanagedPods", UNMANAGED.format(selector))
        now = self.clock.now()
        granted = disrupted(budget, pods, now)
        for pod in granted.overdue:
            name = key_of(budget)
            self.events.event(pod, "Warning", "NotDeleted", f"Pod was expected by PDB {name} to be deleted but it wasn't")
        await self._write(budget, counted(budget, pods, granted.waiting, expected, now))
        return Result(requeue_after_s=None if granted.look_again_s is None else granted.look_again_s + 0.01)

    async def _expected(self, budget: PodDisruptionBudget, pods: list[Pod]) -> tuple[int, list[str]]:
        if not needs_scale(budget):
            return (0 if budget.spec.min_available is None else len(pods)), []
        try:
            return await self._scales.expected(pods)
        except (errors.ApiError, ScaleError) as error:
            self.events.event(
                budget, "Warning", "CalculateExpectedPodCountFailed", f"Failed to calculate the number of expected pods: {error}")
            raise

    async def _write(self, budget: PodDisruptionBudget, status: dict[str, Any]) -> None:
        if not differs(budget, status):
            return
        obj = {**msgspec.to_builtins(budget), "status": status}
        try:
            await self.client.dynamic.update(resource_of(budget), obj, subresource="status")
        except errors.NotFound:
            return      # deleted meanwhile


def _selects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    try:
        return selector_from_label_selector(budget.spec.selector).matches(pod.metadata.labels)
    except SelectorError:
        return False
