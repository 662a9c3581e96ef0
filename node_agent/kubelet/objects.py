"""ConfigMaps and Secrets that the Pods of this node name, read by name: the Node authorizer allows no more."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping

from kube.api.core_v1 import ConfigMap, DownwardAPIVolumeFile, Pod, Secret
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from node_agent.kubelet.environment import PodFacts, field_value, resource_value
from node_agent.volumes.tokens import TokenManager

Data = Mapping[str, bytes]


class PodObjects:
    """Implements volumes.payloads.VolumeSources. Readers of one object at one moment share one question."""

    def __init__(self, client: Client, tokens: TokenManager, facts: Callable[[Pod], PodFacts]) -> None:
        self._client = client
        self._tokens = tokens
        self._facts = facts
        self._asking: dict[tuple[str, NamespacedName], asyncio.Task[Data | None]] = {}

    async def config_map(self, namespace: str, name: str) -> Data | None:
        return await self._shared("configmap", NamespacedName(namespace, name), self._config_map)

    async def secret(self, namespace: str, name: str) -> Data | None:
        return await self._shared("secret", NamespacedName(namespace, name), self._secret)

    async def token(self, pod: Pod, audience: str, expiration_s: int) -> str:
        return await self._tokens.token(pod, audience, expiration_s)

    def forget(self, pod_uid: str) -> None:
        self._tokens.forget(pod_uid)

    def downward(self, pod: Pod, item: DownwardAPIVolumeFile) -> str:
        if item.field_ref is not None:
            return field_value(item.field_ref.field_path, self._facts(pod))
        if item.resource_field_ref is not None:
            return resource_value(item.resource_field_ref, pod.spec.containers[0], self._facts(pod))
        return ""

    async def _config_map(self, key: NamespacedName) -> Data | None:
        try:
            found = await self._client.get(ConfigMap, key)
        except errors.NotFound:
            return None
        binary = {name: base64.b64decode(value) for name, value in found.binary_data.items()}
        return {name: value.encode() for name, value in found.data.items()} | binary

    async def _secret(self, key: NamespacedName) -> Data | None:
        try:
            found = await self._client.get(Secret, key)
        except errors.NotFound:
            return None
        return {name: base64.b64decode(value) for name, value in found.data.items()}

    async def _shared(
        self, kind: str, key: NamespacedName, read: Callable[[NamespacedName], Awaitable[Data | None]],
    ) -> Data | None:
        task = self._asking.get((kind, key))
        if task is None:
            task = asyncio.ensure_future(read(key))
            self._asking[kind, key] = task
            task.add_done_callback(lambda _: self._asking.pop((kind, key), None))
        return await asyncio.shield(task)
