"""The API objects that volumes of this node's Pods are made of: watched as long as a Pod needs them, each by its name.

The Node authorizer lets a kubelet see no more than the objects that its Pods name, so there is one watch per object, shared by all Pods:
a Pod's set-up waits for its first list, later ones ask nothing, and a change wakes the Pods. Follows pkg/kubelet/util/manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kube.api.certificates_v1 import ClusterTrustBundle, PodCertificateRequest
from kube.api.core_v1 import ConfigMap, Pod, Secret
from kube.client.informer import Informer, InformerFactory

LINGER_S = 10.0               # after the last Pod: the next one of its namespace may come at once
FIRST_LIST_S = 2.0            # longer waits nobody for it: the object is asked for by its name, which tells what is wrong


class Selection(NamedTuple):
    kind: type[Any]
    namespace: str = ""
    field_selector: str = ""


TRUST_BUNDLES = Selection(ClusterTrustBundle)


def config_map(namespace: str, name: str) -> Selection:
    return Selection(ConfigMap, namespace, f"metadata.name={name}")


def secret(namespace: str, name: str) -> Selection:
    return Selection(Secret, namespace, f"metadata.name={name}")


def certificate_requests(node_name: str) -> Selection:
    return Selection(PodCertificateRequest, field_selector=f"spec.nodeName={node_name}")


@dataclass(slots=True)
class _Followed:
    informer: Informer[Any]
    pods: set[str] = field(default_factory=set)
    missed: bool = False                 # somebody gave up waiting for the first list
    ends: asyncio.TimerHandle | None = None


class FollowedObjects:
    """`changed` is called with the uid of each Pod that a change concerns."""

    def __init__(self, informers: InformerFactory, node_name: str, changed: Callable[[str], object]) -> None:
        self._informers = informers
        self._node_name = node_name
        self._changed = changed
        self._followed: dict[Selection, _Followed] = {}

    def follow(self, pod: Pod) -> None:
        """Begins with what the Pod's volumes name. Idempotent."""
        for selection in set(selections_of(pod, self._node_name)):
            followed = self._followed.get(selection) or self._begin(selection)
            followed.pods.add(pod.metadata.uid)
            if followed.ends is not None:
                followed.ends.cancel()
                followed.ends = None

    def forget(self, pod_uid: str) -> None:
        for selection, followed in self._followed.items():
            if pod_uid in followed.pods:
                followed.pods.discard(pod_uid)
                if not followed.pods:
                    followed.ends = asyncio.get_running_loop().call_later(LINGER_S, self._end, selection)

    async def find(self, selection: Selection) -> Informer[Any] | None:
        """With its first list; None if it is not followed, or the list does not come."""
        followed = self._followed.get(selection)
        if followed is None:
            return None
        try:
            async with asyncio.timeout(FIRST_LIST_S):
                await followed.informer.wait_synced()
        except TimeoutError:
            followed.missed = True
            return None
        return followed.informer

    def _begin(self, selection: Selection) -> _Followed:
        informer = self._informers.informer(
            selection.kind, namespace=selection.namespace, field_selector=selection.field_selector)
        followed = self._followed[selection] = _Followed(informer)
        informer.on_change(lambda changed: self._tell(followed, changed))
        return followed

    def _tell(self, followed: _Followed, changed: Any) -> None:
        if not followed.informer.synced and not followed.missed:
            return                           # the first list: whoever needs it waits for it
        if isinstance(changed, PodCertificateRequest):
            self._changed(changed.spec.pod_uid)
        else:
            for uid in [*followed.pods]:
                self._changed(uid)

    def _end(self, selection: Selection) -> None:
        followed = self._followed.pop(selection, None)
        if followed is not None:
            self._informers.stop(followed.informer)


def selections_of(pod: Pod, node_name: str) -> Iterator[Selection]:
    namespace = pod.metadata.namespace
    for volume in pod.spec.volumes:
        if volume.config_map is not None:
            yield config_map(namespace, volume.config_map.name)
        if volume.secret is not None:
            yield secret(namespace, volume.secret.secret_name)
        for source in volume.projected.sources if volume.projected is not None else ():
            if source.config_map is not None:
                yield config_map(namespace, source.config_map.name)
            if source.secret is not None:
                yield secret(namespace, source.secret.name)
            if source.cluster_trust_bundle is not None:
                yield TRUST_BUNDLES
            if source.pod_certificate is not None:
                yield certificate_requests(node_name)
