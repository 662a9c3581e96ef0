"""Which Services a Pod's or a Node's change concerns; shared by both endpoint controllers."""

from __future__ import annotations

from collections.abc import Callable

from control_plane.controllers.endpoint_slice.backends import has_endpoints, view
from kube.api.core_v1 import Pod, Service
from kube.apimachinery.meta import NamespacedName
from kube.client.informer import Informer
from kube.client.objects import key_of


class PodsToServices:
    """Calls `enqueue` with the key of each Service that selects a changed Pod, by its old or its new labels."""

    def __init__(self, services: Informer[Service], pods: Informer[Pod], enqueue: Callable[[NamespacedName], None]) -> None:
        self._services = services
        self._enqueue = enqueue
        pods.add_handler(self._on_pod, self._on_update, self._on_pod)

    def _on_pod(self, pod: Pod) -> None:
        labels = pod.metadata.labels.items()
        for service in self._services.store.list(pod.metadata.namespace):
            if has_endpoints(service) and service.spec.selector.items() <= labels:
                self._enqueue(key_of(service))

    def _on_update(self, old: Pod, new: Pod) -> None:
        if view(old) == view(new):
            return
        self._on_pod(new)
        if old.metadata.labels != new.metadata.labels:
            self._on_pod(old)
