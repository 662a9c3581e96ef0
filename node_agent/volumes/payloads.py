"""The files that ConfigMaps, Secrets, the downward API, tokens and certificates put into a volume."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from kube.api.core_v1 import (
    ClusterTrustBundleProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    PodCertificateProjection,
    ProjectedVolumeSource,
    Volume,
    VolumeProjection,
)
from kube.apimachinery import errors
from node_agent.volumes.atomic_writer import FileContent
from node_agent.volumes.plugin import VolumeError, every_container

DEFAULT_MODE = 0o644
PRIVATE_MODE = 0o600
DEFAULT_EXPIRATION_S = 3600

Payload = dict[str, FileContent]
_Read = Callable[[str, str], Awaitable[Mapping[str, bytes] | None]]


class VolumeSources(Protocol):
    """Where the contents come from. Each raises VolumeError or the apiserver's errors."""

    def follow(self, pod: Pod) -> None:
        """What the Pod's volumes name will be asked for. Idempotent."""

    async def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """None: there is none."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...

    async def token(self, pod: Pod, audience: str, expiration_s: int) -> str: ...

    def downward(self, pod: Pod, item: DownwardAPIVolumeFile) -> str: ...

    async def trust_anchors(self, projection: ClusterTrustBundleProjection) -> bytes:
        """PEM, without doubles."""

    async def credentials(self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection) -> tuple[bytes, bytes]:
        """Key and certificates of the Pod's own, PEM; `volume` and `index` say which of its projections."""


class _Context(NamedTuple):
    pod: Pod
    sources: VolumeSources
    mode: int                     # of files that name none


async def volume_payload(pod: Pod, volume: Volume, sources: VolumeSources) -> Payload:
    """Raises VolumeError, or the apiserver's errors."""
    if (config_map := volume.config_map) is not None:
        context = _Context(pod, sources, _mode(config_map.default_mode))
        return await _config_map(context, config_map.name, config_map.items, config_map.optional)
    if (secret := volume.secret) is not None:
        return await _secret(_Context(pod, sources, _mode(secret.default_mode)), secret.secret_name, secret.items, secret.optional)
    if (downward := volume.downward_api) is not None:
        return _downward(_Context(pod, sources, _mode(downward.default_mode)), downward.items)
    if volume.projected is not None:
        return await _projected(pod, volume.name, volume.projected, sources)
    raise VolumeError("not a volume of files")


async def _config_map(context: _Context, name: str, items: Iterable[KeyToPath], optional: bool | None) -> Payload:
    missing_key = "configmap references non-existent config key"
    return await _keyed(context, context.sources.config_map, f'configmap "{name}" not found', name, items, optional, missing_key)


async def _secret(context: _Context, name: str, items: Iterable[KeyToPath], optional: bool | None) -> Payload:
    missing_key = "references non-existent secret key"
    return await _keyed(context, context.sources.secret, f'secret "{name}" not found', name, items, optional, missing_key)


async def _keyed(
    context: _Context, read: _Read, missing: str, name: str, items: Iterable[KeyToPath], optional: bool | None, missing_key: str,
) -> Payload:
    data = await read(context.pod.metadata.namespace, name)
    if data is None:
        if not optional:
            raise VolumeError(missing)
        data = {}
    items = tuple(items)
    if not items:
        return {key: FileContent(value, context.mode) for key, value in data.items()}
    payload: Payload = {}
    for item in items:
        if item.key in data:
            payload[item.path] = FileContent(data[item.key], context.mode if item.mode is None else item.mode)
        elif not optional:
            raise VolumeError(f"{missing_key}: {item.key}")
    return payload


def _downward(context: _Context, items: Iterable[DownwardAPIVolumeFile]) -> Payload:
    return {
        item.path: FileContent(context.sources.downward(context.pod, item).encode(), context.mode if item.mode is None else item.mode)
        for item in items
    }


async def _projected(pod: Pod, name: str, projected: ProjectedVolumeSource, sources: VolumeSources) -> Payload:
    """Of two sources with the same path the later one counts. All that fail are told together."""
    context, payload = _Context(pod, sources, _mode(projected.default_mode)), Payload()
    failures: list[Exception] = []
    for index, projection in enumerate(projected.sources):
        try:
            payload |= await _projection(context, name, index, projection)
        except (VolumeError, errors.ApiError) as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise VolumeError(f"[{', '.join(dict.fromkeys(map(str, failures)))}]")
    return payload


async def _projection(context: _Context, name: str, index: int, projection: VolumeProjection) -> Payload:
    if (config_map := projection.config_map) is not None:
        return await _config_map(context, config_map.name, config_map.items, config_map.optional)
    if (secret := projection.secret) is not None:
        return await _secret(context, secret.name, secret.items, secret.optional)
    if projection.downward_api is not None:
        return _downward(context, projection.downward_api.items)
    pod, sources = context.pod, context.sources
    if (token := projection.service_account_token) is not None:
        text = await sources.token(pod, token.audience, token.expiration_seconds or DEFAULT_EXPIRATION_S)
        return {token.path: _private(context, text.encode())}
    if (bundle := projection.cluster_trust_bundle) is not None:
        return {bundle.path: _private(context, await sources.trust_anchors(bundle))}
    if (certificate := projection.pod_certificate) is not None:
        key, chain = await sources.credentials(pod, name, index, certificate)
        files = {certificate.credential_bundle_path: key + chain, certificate.key_path: key, certificate.certificate_chain_path: chain}
        return {path: _private(context, data) for path, data in files.items() if path}
    raise VolumeError("projected volume has a source that this node does not know")


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode


def _private(context: _Context, data: bytes) -> FileContent:
    """The Pod's identity: where one user or a group is known to read it, nobody else may. fsGroup makes 0640 of it."""
    uid, security = fs_user(context.pod), context.pod.spec.security_context
    shared = uid is None and (security is None or security.fs_group is None)
    return FileContent(data, context.mode if shared else PRIVATE_MODE, uid)


def fs_user(pod: Pod) -> int | None:
    """The user that all containers run as by their specification, if it is one."""
    common = pod.spec.security_context.run_as_user if pod.spec.security_context is not None else None
    users = {
        container.security_context.run_as_user
        if container.security_context is not None and container.security_context.run_as_user is not None else common
        for container in every_container(pod)
    }
    return users.pop() if len(users) == 1 else None
