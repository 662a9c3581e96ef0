"""The files that ConfigMaps, Secrets, the downward API and tokens put into a volume."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from kube.api.core_v1 import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from node_agent.volumes.atomic_writer import FileContent
from node_agent.volumes.plugin import VolumeError

DEFAULT_MODE = 0o644
DEFAULT_EXPIRATION_S = 3600

Payload = dict[str, FileContent]


class VolumeSources(Protocol):
    """Where the contents come from."""

    async def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """None: there is none."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...

    async def token(self, pod: Pod, audience: str, expiration_s: int) -> str: ...

    def downward(self, pod: Pod, item: DownwardAPIVolumeFile) -> str: ...


async def volume_payload(pod: Pod, volume: Volume, sources: VolumeSources) -> Payload:
    """Raises VolumeError, or the apiserver's errors."""
    namespace = pod.metadata.namespace
    if volume.config_map is not None:
        return await _config_map(namespace, volume.config_map.name, volume.config_map, sources)
    if volume.secret is not None:
        secret: SecretVolumeSource = volume.secret
        return await _secret(namespace, secret.secret_name, secret.items, secret.optional, _mode(secret.default_mode), sources)
    if volume.downward_api is not None:
        return _downward(pod, volume.downward_api.items, _mode(volume.downward_api.default_mode), sources)
    if volume.projected is not None:
        return await _projected(pod, volume.projected, sources)
    raise VolumeError("not a volume of files")


async def _config_map(namespace: str, name: str, source: ConfigMapVolumeSource, sources: VolumeSources) -> Payload:
    return await _keyed(sources.config_map, "configmap", namespace, name, source.items, source.optional, _mode(source.default_mode))


async def _secret(
    namespace: str, name: str, items: Iterable[KeyToPath], optional: bool | None, mode: int, sources: VolumeSources,
) -> Payload:
    return await _keyed(sources.secret, "secret", namespace, name, items, optional, mode)


async def _keyed(
    read: Callable[[str, str], Awaitable[Mapping[str, bytes] | None]], kind: str, namespace: str, name: str, items: Iterable[KeyToPath],
    optional: bool | None, mode: int,
) -> Payload:
    data = await read(namespace, name)
    if data is None:
        if optional:
            return {}
        raise VolumeError(f'{kind} "{name}" not found')
    items = tuple(items)
    if not items:
        return {key: FileContent(value, mode) for key, value in data.items()}
    payload: Payload = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            raise VolumeError(f"references non-existent {'config' if kind == 'configmap' else kind} key: {item.key}")
        payload[item.path] = FileContent(data[item.key], mode if item.mode is None else item.mode)
    return payload


def _downward(pod: Pod, items: Iterable[DownwardAPIVolumeFile], mode: int, sources: VolumeSources) -> Payload:
    return {
        item.path: FileContent(sources.downward(pod, item).encode(), mode if item.mode is None else item.mode) for item in items
    }


async def _projected(pod: Pod, projected: ProjectedVolumeSource, sources: VolumeSources) -> Payload:
    payload: Payload = {}
    for projection in projected.sources:
        payload |= await _projection(pod, projection, _mode(projected.default_mode), sources)
    return payload


async def _projection(pod: Pod, projection: VolumeProjection, mode: int, sources: VolumeSources) -> Payload:
    namespace = pod.metadata.namespace
    if (token := projection.service_account_token) is not None:
        text = await sources.token(pod, token.audience, token.expiration_seconds or DEFAULT_EXPIRATION_S)
        return {token.path: FileContent(text.encode(), _token_mode(pod, mode))}
    if (config_map := projection.config_map) is not None:
        return await _keyed(sources.config_map, "configmap", namespace, config_map.name, config_map.items, config_map.optional, mode)
    if (secret := projection.secret) is not None:
        return await _secret(namespace, secret.name, secret.items, secret.optional, mode, sources)
    if projection.downward_api is not None:
        return _downward(pod, projection.downward_api.items, mode, sources)
    raise VolumeError("projected volume has a source that this node does not know")


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode


def _token_mode(pod: Pod, mode: int) -> int:
    """Of no one else where the Pod names a group: the writer then lets that group read."""
    security = pod.spec.security_context
    return 0o600 if security is not None and security.fs_group is not None else mode
