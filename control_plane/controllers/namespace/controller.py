"""The namespace controller. Follows upstream's pkg/controller/namespace."""

from __future__ import annotations

from typing import Final

import msgspec

from control_plane.controllers.custom_kinds import CustomKinds
from control_plane.controllers.extension_kinds import ExtensionKinds
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.namespace.conditions import Remaining, conditions
from control_plane.controllers.namespace.content import delete_content
from kube.api.core_v1 import Namespace, Pod
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

FINALIZER: Final = "kubernetes"
LOOK_AGAIN_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)     # while something remains: there is no one event to wait for


class NamespaceController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("namespace", context)
        self._looks: dict[str, int] = {}
        self._namespaces = self.informer(Namespace)
        self._pods = self.informer(Pod)
        self._namespaces.add_handler(self._on_namespace, lambda _old, new: self._on_namespace(new), self._on_gone)
        self._pods.add_handler(on_delete=self._on_pod_gone)
        CustomKinds(self)
        self._extensions = ExtensionKinds(self)

    def _on_namespace(self, namespace: Namespace) -> None:
        if namespace.metadata.deletion_timestamp:
            self.queue.add(key_of(namespace))

    def _on_gone(self, namespace: Namespace) -> None:
        self._looks.pop(namespace.metadata.name, None)

    def _on_pod_gone(self, pod: Pod) -> None:
        namespace = self._namespaces.get(NamespacedName("", pod.metadata.namespace))
        if namespace is not None:
            self._on_namespace(namespace)

    async def reconcile(self, key: NamespacedName) -> Result:
        try:
            namespace = await self.client.get(Namespace, key)
            if not namespace.metadata.deletion_timestamp or FINALIZER not in namespace.spec.finalizers:
                return DONE
            if namespace.status.phase != "Terminating":
                status = msgspec.structs.replace(namespace.status, phase="Terminating")
                namespace = await self.client.update_status(msgspec.structs.replace(namespace, status=status))
            remaining = await delete_content(self.client, key.name, await self._extensions.refresh())
            namespace = await self._report(namespace, remaining)
            if not remaining.nothing:
                look = self._looks.get(key.name, 0)
                self._looks[key.name] = look + 1
                return Result(requeue_after_s=LOOK_AGAIN_S[min(look, len(LOOK_AGAIN_S) - 1)])
            await self._finalize(namespace)
        except errors.NotFound:
            return DONE
        self.log.info("namespace is empty", namespace=key.name)
        return DONE

    async def _report(self, namespace: Namespace, remaining: Remaining) -> Namespace:
        held = namespace.status.conditions
        wanted = conditions(held, remaining, self.clock.now())
        if wanted == held:
            return namespace
        status = msgspec.structs.replace(namespace.status, conditions=wanted)
        return await self.client.update_status(msgspec.structs.replace(namespace, status=status))

    async def _finalize(self, namespace: Namespace) -> None:
        finalizers = tuple(name for name in namespace.spec.finalizers if name != FINALIZER)
        spec = msgspec.structs.replace(namespace.spec, finalizers=finalizers)
        await self.client.update(msgspec.structs.replace(namespace, spec=spec), subresource="finalize")
