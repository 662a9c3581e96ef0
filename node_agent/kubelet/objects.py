"""What volumes and environments of this node's Pods are made of: ConfigMaps, Secrets, tokens, trust anchors, certificates, fields."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping

from kube.api.certificates_v1 import ClusterTrustBundle, PodCertificateRequest
from kube.api.core_v1 import ClusterTrustBundleProjection, ConfigMap, DownwardAPIVolumeFile, Pod, PodCertificateProjection, Secret
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.informer import Informer
from node_agent.kubelet.environment import ContainerConfigError, PodFacts, field_value, resource_value
from node_agent.volumes import followed
from node_agent.volumes.followed import FollowedObjects
from node_agent.volumes.plugin import VolumeError
from node_agent.volumes.pod_certificates import PodCertificates
from node_agent.volumes.tokens import TokenManager
from node_agent.volumes.trust_bundles import TrustAnchors

Data = Mapping[str, bytes]


class PodObjects:
    """Implements volumes.payloads.VolumeSources. What is followed comes from memory; the rest is read by name, as the Node
    authorizer allows, and readers of one object at one moment share one question.
    """

    def __init__(
        self, client: Client, tokens: TokenManager, facts: Callable[[Pod], PodFacts], objects: FollowedObjects,
        certificates: PodCertificates,
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._facts = facts
        self._followed = objects
        self._certificates = certificates
        self._anchors = TrustAnchors()
        self._asking: dict[tuple[str, NamespacedName], asyncio.Task[Data | None]] = {}

    def follow(self, pod: Pod) -> None:
        self._followed.follow(pod)

    def forget(self, pod_uid: str) -> None:
        self._tokens.forget(pod_uid)
        self._certificates.forget(pod_uid)
        self._followed.forget(pod_uid)

    async def config_map(self, namespace: str, name: str) -> Data | None:
        informer = await self._followed.find(followed.config_map(namespace, name))
        if informer is None:
            return await self._shared("configmap", NamespacedName(namespace, name), self._config_map)
        found: ConfigMap | None = informer.get(NamespacedName(namespace, name))
        return None if found is None else _config_map_data(found)

    async def config_map_text(self, namespace: str, name: str) -> Data | None:
        """Without binaryData, which no variable can hold."""
        informer = await self._followed.find(followed.config_map(namespace, name))
        if informer is None:
            return await self._shared("configmap text", NamespacedName(namespace, name), self._config_map_text)
        found: ConfigMap | None = informer.get(NamespacedName(namespace, name))
        return None if found is None else _text(found)

    async def secret(self, namespace: str, name: str) -> Data | None:
        informer = await self._followed.find(followed.secret(namespace, name))
        if informer is None:
            return await self._shared("secret", NamespacedName(namespace, name), self._secret)
        found: Secret | None = informer.get(NamespacedName(namespace, name))
        return None if found is None else _secret_data(found)

    async def token(self, pod: Pod, audience: str, expiration_s: int) -> str:
        try:
            return await self._tokens.token(pod, audience, expiration_s)
        except errors.ApiError as error:
            raise VolumeError(f"failed to fetch token: {error}") from error

    async def trust_anchors(self, projection: ClusterTrustBundleProjection) -> bytes:
        informer: Informer[ClusterTrustBundle] | None = await self._followed.find(followed.TRUST_BUNDLES)
        if informer is None:
            raise VolumeError("ClusterTrustBundle informer has not yet synced")
        return self._anchors.select(projection, informer.store.list())

    async def credentials(self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection) -> tuple[bytes, bytes]:
        return await self._certificates.credentials(pod, volume, index, projection)

    def downward(self, pod: Pod, item: DownwardAPIVolumeFile) -> str:
        try:
            if item.field_ref is not None:
                return field_value(item.field_ref.field_path, self._facts(pod))
            if item.resource_field_ref is not None:
                return resource_value(item.resource_field_ref, pod.spec.containers[0], self._facts(pod))
        except ContainerConfigError as error:
            raise VolumeError(str(error)) from error
        return ""

    async def _config_map(self, key: NamespacedName) -> Data | None:
        try:
            return _config_map_data(await self._client.get(ConfigMap, key))
        except errors.NotFound:
            return None

    async def _config_map_text(self, key: NamespacedName) -> Data | None:
        try:
            return _text(await self._client.get(ConfigMap, key))
        except errors.NotFound:
            return None

    async def _secret(self, key: NamespacedName) -> Data | None:
        try:
            return _secret_data(await self._client.get(Secret, key))
        except errors.NotFound:
            return None

    async def _shared(
        self, kind: str, key: NamespacedName, read: Callable[[NamespacedName], Awaitable[Data | None]],
    ) -> Data | None:
        task = self._asking.get((kind, key))
        if task is None:
            task = asyncio.ensure_future(read(key))
            self._asking[kind, key] = task
            task.add_done_callback(lambda _: self._asking.pop((kind, key), None))
        return await asyncio.shield(task)


def request_finder(objects: FollowedObjects, node_name: str) -> Callable[[str, str], Awaitable[PodCertificateRequest | None]]:
    """For PodCertificates: the requests of this node."""

    async def find(namespace: str, name: str) -> PodCertificateRequest | None:
        informer: Informer[PodCertificateRequest] | None = await objects.find(followed.certificate_requests(node_name))
        return None if informer is None else informer.get(NamespacedName(namespace, name))

    return find


def _config_map_data(found: ConfigMap) -> Data:
    binary = {name: base64.b64decode(value) for name, value in found.binary_data.items()}
    return {**_text(found), **binary}


def _text(found: ConfigMap) -> Data:
    return {name: value.encode() for name, value in found.data.items()}


def _secret_data(found: Secret) -> Data:
    return {name: base64.b64decode(value) for name, value in found.data.items()}
