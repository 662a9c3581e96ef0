"""Where an object lives in etcd: /registry/<resource>/[<namespace>/]<name>, with upstream's old names kept.

`etcdctl get /registry/pods/default/web` must find what it finds in any Kubernetes cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import GroupResource, ResourceType

REGISTRY: Final = "/registry/"

_SPECIAL: Final = {
    GroupResource("", "nodes"): "minions",
    GroupResource("", "services"): "services/specs",
    GroupResource("", "endpoints"): "services/endpoints",
    GroupResource("", "replicationcontrollers"): "controllers",
    GroupResource("networking.k8s.io", "ingresses"): "ingress",
    GroupResource("apiregistration.k8s.io", "apiservices"): "apiregistration.k8s.io/apiservices",
    GroupResource("apiextensions.k8s.io", "customresourcedefinitions"): "apiextensions.k8s.io/customresourcedefinitions",
}


def resource_prefix(resource: ResourceType) -> str:
    """With the trailing slash, so that no prefix is the beginning of another resource's keys."""
    identity = resource.storage_identity
    special = _SPECIAL.get(identity)
    if special is None:
        custom = resource.custom is not None or not _is_built_in(identity.group)
        special = f"{identity.group}/{identity.resource}" if custom else identity.resource
    return f"{REGISTRY}{special}/"


def object_key(resource: ResourceType, key: NamespacedName) -> str:
    return resource_prefix(resource) + str(key)


def _is_built_in(group: str) -> bool:
    # Custom resources stand under their group, as upstream; a built-in group has no dot or ends in k8s.io.
    return "." not in group or group.endswith(".k8s.io")


class KeyTable:
    """Finds the resource that a key belongs to."""

    def __init__(self, resources: Iterable[ResourceType]) -> None:
        self._by_prefix: dict[str, GroupResource] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: ResourceType) -> None:
        self._by_prefix[resource_prefix(resource)] = resource.storage_identity

    def remove(self, resource: ResourceType) -> None:
        self._by_prefix.pop(resource_prefix(resource), None)

    def split(self, key: str) -> tuple[GroupResource, str] | None:
        """(storage identity, "namespace/name" or "name"); None for what is no object of a known resource."""
        end = key.find("/", len(REGISTRY)) + 1
        prefix = key[:end]
        identity = self._by_prefix.get(prefix)
        if identity is None:
            end = key.find("/", end) + 1
            identity = self._by_prefix.get(key[:end])
        if identity is None or end == len(key):
            return None
        return identity, key[end:]
