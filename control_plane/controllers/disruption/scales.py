"""How many Pods there should be: the sum of what the Pods' owners want, each owner counted once.

The workloads of Kubernetes are read from the caches; any other kind is asked for its scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kube.api.apps_v1 import Deployment, ReplicaSet, StatefulSet
from kube.api.core_v1 import Pod, ReplicationController
from kube.api.meta_v1 import OwnerReference
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind
from kube.client.client import Client
from kube.client.informer import Informer
from kube.client.objects import controller_of

_WORKLOAD_GROUPS: Final = {"ReplicaSet": ("apps", "extensions"), "StatefulSet": ("apps",), "ReplicationController": ("",)}


class ScaleError(Exception):
    """The number cannot be told."""


class Scales:
    def __init__(
        self, client: Client, controllers: Informer[ReplicationController], replica_sets: Informer[ReplicaSet],
        deployments: Informer[Deployment], stateful_sets: Informer[StatefulSet],
    ) -> None:
        self._client = client
        self._replica_sets = replica_sets
        self._deployments = deployments
        self._held: dict[str, Informer[Any]] = {
            "ReplicationController": controllers, "ReplicaSet": replica_sets, "StatefulSet": stateful_sets,
        }

    async def expected(self, pods: Sequence[Pod]) -> tuple[int, list[str]]:
        """The sum, and the names of Pods that nobody controls. Raises ScaleError, ApiError."""
        by_owner: dict[str, int] = {}
        seen: set[str] = set()
        unmanaged = []
        for pod in pods:
            ref = controller_of(pod)
            if ref is None:
                unmanaged.append(pod.metadata.name)
            elif ref.uid not in seen:
                seen.add(ref.uid)
                found = self._cached(ref, pod.metadata.namespace) or await self._asked(ref, pod.metadata.namespace)
                if found is None:
                    raise ScaleError(f'found no controllers for pod "{pod.metadata.name}"')
                by_owner[found[0]] = found[1]
        return sum(by_owner.values()), unmanaged

    def _cached(self, ref: OwnerReference, namespace: str) -> tuple[str, int] | None:
        """uid and replicas of the owner, or of the Deployment above it."""
        if GroupVersionKind.of(ref.api_version, ref.kind).group not in _WORKLOAD_GROUPS.get(ref.kind, ()):
            return None
        owner = self._held[ref.kind].get(NamespacedName(namespace, ref.name))
        if owner is None or owner.metadata.uid != ref.uid:
            return None
        if ref.kind == "ReplicaSet" and (above := controller_of(owner)) is not None and above.kind == "Deployment":
            owner = self._deployments.get(NamespacedName(namespace, above.name))
            if owner is None or owner.metadata.uid != above.uid:
                return None
        return owner.metadata.uid, 1 if owner.spec.replicas is None else owner.spec.replicas

    async def _asked(self, ref: OwnerReference, namespace: str) -> tuple[str, int] | None:
        resource = SCHEME.for_kind(GroupVersionKind.of(ref.api_version, ref.kind))
        if resource is None:
            raise ScaleError(f'no matches for kind "{ref.kind}" in version "{ref.api_version}"')
        if "scale" not in resource.subresources:
            raise ScaleError(f"{resource.group_resource} does not implement the scale subresource")
        try:
            scale = await self._client.dynamic.get(resource, NamespacedName(namespace, ref.name), subresource="scale")
        except errors.NotFound:
            return None
        if scale["metadata"].get("uid") != ref.uid:
            return None
        return ref.uid, (scale.get("spec") or {}).get("replicas") or 0
