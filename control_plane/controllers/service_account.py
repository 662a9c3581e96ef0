"""Keeps a ServiceAccount `default` in every namespace. Follows upstream's serviceaccount-controller."""

from __future__ import annotations

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.ownership import is_namespace_terminating
from kube.api.core_v1 import Namespace, ServiceAccount
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

NAME = "default"


class ServiceAccountController(ManagedController[NamespacedName]):
    """Keys are namespaces."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("service-account", context)
        self._accounts = self.informer(ServiceAccount, field_selector=f"metadata.name={NAME}")
        self._accounts.add_handler(on_delete=lambda account: self.queue.add(NamespacedName("", account.metadata.namespace)))
        self._namespaces = self.informer(Namespace)
        self._namespaces.add_handler(
            lambda namespace: self.queue.add(key_of(namespace)), lambda _old, new: self.queue.add(key_of(new)))

    async def reconcile(self, key: NamespacedName) -> Result:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp or namespace.status.phase == "Terminating":
            return DONE
        if self._accounts.get(NamespacedName(key.name, NAME)) is not None:
            return DONE
        try:
            await self.client.create(ServiceAccount(metadata=ObjectMeta(namespace=key.name, name=NAME)))
        except (errors.AlreadyExists, errors.NotFound):
            return DONE         # someone was faster; or the namespace is gone
        except errors.Forbidden as error:
            if not is_namespace_terminating(error):
                raise
        return DONE
