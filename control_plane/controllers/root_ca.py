"""Publishes the cluster's CA to every namespace as ConfigMap kube-root-ca.crt. Follows upstream's root-ca-cert-publisher."""

from __future__ import annotations

import msgspec

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.ownership import is_namespace_terminating
from kube.api.core_v1 import ConfigMap, Namespace
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

NAME = "kube-root-ca.crt"
DESCRIPTION_ANNOTATION = "kubernetes.io/description"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


class RootCaPublisher(ManagedController[NamespacedName]):
    """Keys are namespaces."""

    def __init__(self, context: ControllerContext, root_ca: str) -> None:
        super().__init__("root-ca-certificate-publisher", context)
        self._data = {"ca.crt": root_ca}
        self._config_maps = self.informer(ConfigMap, field_selector=f"metadata.name={NAME}")
        self._config_maps.add_handler(
            on_update=lambda _old, new: self._enqueue(new), on_delete=self._enqueue)
        self._namespaces = self.informer(Namespace)
        self._namespaces.add_handler(
            lambda namespace: self.queue.add(key_of(namespace)), lambda _old, new: self.queue.add(key_of(new)))

    def _enqueue(self, config_map: ConfigMap) -> None:
        self.queue.add(NamespacedName("", config_map.metadata.namespace))

    async def reconcile(self, key: NamespacedName) -> Result:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp:
            return DONE
        held = self._config_maps.get(NamespacedName(key.name, NAME))
        try:
            if held is None:
                await self.client.create(self._wanted(key.name))
            elif held.data != self._data or held.metadata.annotations.get(DESCRIPTION_ANNOTATION) != DESCRIPTION:
                await self.client.update(self._repaired(held))
        except (errors.AlreadyExists, errors.NotFound):
            return DONE
        except errors.Forbidden as error:
            if not is_namespace_terminating(error):
                raise
        return DONE

    def _wanted(self, namespace: str) -> ConfigMap:
        return ConfigMap(
            metadata=ObjectMeta(namespace=namespace, name=NAME, annotations={DESCRIPTION_ANNOTATION: DESCRIPTION}), data=self._data)

    def _repaired(self, held: ConfigMap) -> ConfigMap:
        annotations = {**held.metadata.annotations, DESCRIPTION_ANNOTATION: DESCRIPTION}
        return msgspec.structs.replace(
            held, data=self._data, metadata=msgspec.structs.replace(held.metadata, annotations=annotations))
