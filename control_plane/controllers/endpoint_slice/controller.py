"""The EndpointSlice controller. Follows upstream's pkg/controller/endpointslice."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

from control_plane.controllers.endpoint_slice.backends import (
    ZONE_LABEL,
    endpoint_of,
    has_endpoints,
    ports_of,
    selected,
    should_be_listed,
)
from control_plane.controllers.endpoint_slice.plan import MANAGED_BY, MANAGER, SERVICE_NAME, Plan, Ports, plan_slices
from control_plane.controllers.endpoint_slice.services import PodsToServices
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.ownership import is_namespace_terminating
from kube.api.core_v1 import Node, Pod, Service
from kube.api.discovery_v1 import Endpoint, EndpointSlice
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

BY_SERVICE: Final = "by service"
PATIENCE_S: Final = 10.0


class WrittenSlices:
    """Slices written and not yet seen in the cache: planning without them would create them once more."""

    def __init__(self) -> None:
        self._held: dict[NamespacedName, dict[str, tuple[int, float]]] = {}

    def wrote(self, service: NamespacedName, slice_: EndpointSlice, now: float) -> None:
        self._held.setdefault(service, {})[slice_.metadata.name] = (slice_.metadata.generation or 0, now)

    def saw(self, service: NamespacedName, slice_: EndpointSlice, *, deleted: bool = False) -> None:
        waiting = self._held.get(service, {})
        generation, _ = waiting.get(slice_.metadata.name, (-1, 0.0))
        if deleted or (slice_.metadata.generation or 0) >= generation:
            waiting.pop(slice_.metadata.name, None)

    def all_seen(self, service: NamespacedName, now: float) -> bool:
        waiting = self._held.get(service, {})
        for name, (_, since) in [*waiting.items()]:
            if now - since > PATIENCE_S:
                del waiting[name]
        return not waiting

    def forget(self, service: NamespacedName) -> None:
        self._held.pop(service, None)


class EndpointSliceController(ManagedController[NamespacedName]):
    """Keys are Services."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("endpoint-slice", context)
        self._written = WrittenSlices()
        self._services = self.informer(Service)
        self._pods = self.informer(Pod)
        self._nodes = self.informer(Node)
        self._slices = self.informer(EndpointSlice, label_selector=f"{MANAGED_BY}={MANAGER}")
        self._slices.add_index(BY_SERVICE, lambda slice_: (_service_of(slice_),))
        self._services.on_change(lambda service: self.queue.add(key_of(service)))
        self._slices.add_handler(self._on_slice, self._on_slice_updated, self._on_slice_deleted)
        self._nodes.add_handler(self._on_node, self._on_node_updated, self._on_node)
        PodsToServices(self._services, self._pods, self.queue.add)

    def _on_slice(self, slice_: EndpointSlice) -> None:
        key = _service_of(slice_)
        self._written.saw(key, slice_)
        self.queue.add(key)

    def _on_slice_updated(self, old: EndpointSlice, new: EndpointSlice) -> None:
        if _service_of(old) != _service_of(new):
            self._on_slice_deleted(old)
        self._on_slice(new)

    def _on_slice_deleted(self, slice_: EndpointSlice) -> None:
        key = _service_of(slice_)
        self._written.saw(key, slice_, deleted=True)
        self.queue.add(key)

    def _on_node(self, node: Node) -> None:
        for service in self._services.store.list():
            if has_endpoints(service):
                self.queue.add(key_of(service))

    def _on_node_updated(self, old: Node, new: Node) -> None:
        if old.metadata.labels.get(ZONE_LABEL) != new.metadata.labels.get(ZONE_LABEL):
            self._on_node(new)

    async def reconcile(self, key: NamespacedName) -> Result:
        service = self._services.get(key)
        if service is None or service.metadata.deletion_timestamp:
            self._written.forget(key)       # the garbage collector takes the slices
            return DONE
        if not has_endpoints(service):
            return DONE
        if not self._written.all_seen(key, self.clock.monotonic()):
            return Result(requeue_after_s=1)        # at the latest; the slice's own event comes sooner
        plan = plan_slices(service, self._endpoints(service), self._slices.by_index(BY_SERVICE, key))
        try:
            await self._perform(key, plan)
        except errors.ApiError as error:
            if is_namespace_terminating(error):
                return DONE
            if not isinstance(error, errors.Conflict):
                self.events.event(
                    service, "Warning", "FailedToUpdateEndpointSlices",
                    f"Error updating Endpoint Slices for Service {key}: {error}")
            raise
        return DONE

    def _endpoints(self, service: Service) -> dict[Ports, list[Endpoint]]:
        groups: dict[Ports, list[Endpoint]] = defaultdict(list)
        for pod in selected(service, self._pods.store.list(service.metadata.namespace)):
            if should_be_listed(pod, include_terminating=True):
                node = self._nodes.get(NamespacedName("", pod.spec.node_name))
                groups[tuple(sorted(ports_of(service, pod)))].append(endpoint_of(service, pod, node))
        return groups

    async def _perform(self, key: NamespacedName, plan: Plan) -> None:
        # New ones before deletions: an endpoint that moves must not be missing from all slices for a moment.
        writes = [self._client_create(key, slice_) for slice_ in plan.create]
        writes += [self._client_update(key, slice_) for slice_ in plan.update]
        await asyncio.gather(*writes)
        for slice_ in plan.delete:
            try:
                await self.client.delete(EndpointSlice, key_of(slice_), uid=slice_.metadata.uid)
            except errors.NotFound:
                continue

    async def _client_create(self, key: NamespacedName, slice_: EndpointSlice) -> None:
        self._note(key, await self.client.create(slice_))

    async def _client_update(self, key: NamespacedName, slice_: EndpointSlice) -> None:
        self._note(key, await self.client.update(slice_))

    def _note(self, key: NamespacedName, written: EndpointSlice) -> None:
        seen = self._slices.get(key_of(written))
        if seen is None or (seen.metadata.generation or 0) < (written.metadata.generation or 0):
            self._written.wrote(key, written, self.clock.monotonic())


def _service_of(slice_: EndpointSlice) -> NamespacedName:
    return NamespacedName(slice_.metadata.namespace, slice_.metadata.labels.get(SERVICE_NAME, ""))
