"""Namespaces, priority classes and the rest that a cluster is never without."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from control_plane.apiserver.allocation.cluster_ips import ClusterIps
from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.config import ApiserverConfig
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import AlreadyExists, ApiError, Invalid
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupVersionKind, Scheme
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("bootstrap")

NAMESPACES: Final = ("kube-system", "kube-public", "kube-node-lease", "default")
_CLAIM_ATTEMPTS: Final = 20
_CLAIM_RETRY_S: Final = 0.1
_PRIORITY_CLASSES: Final = (
    ("system-node-critical", 2_000_001_000,
     "Used for system critical pods that must not be moved from their current node."),
    ("system-cluster-critical", 2_000_000_000,
     "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."),
)


class Bootstrap:
    """Creates through the writer, so that defaults, admission and allocation are those of any other object."""

    def __init__(self, writer: Writer, cache: WatchCache, scheme: Scheme, clock: Clock) -> None:
        self._writer = writer
        self._cache = cache
        self._scheme = scheme
        self._clock = clock

    async def ensure(self, obj: JsonObject) -> None:
        """Creates the object unless one of that name is there.

        When a webhook refuses it, the apiserver starts without: else nobody could take the webhook away. Raises Invalid.
        """
        resource = self._scheme.for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
        assert resource is not None
        key = NamespacedName.of(obj)
        if self._cache.get(resource, key) is not None:
            return
        call = Call(APISERVER_USER, "create", resource, key.namespace)
        try:
            await self._writer.create(call, obj, WriteOptions(field_manager="kube-apiserver"))
        except AlreadyExists:
            return      # another apiserver was first
        except Invalid:
            raise
        except ApiError as error:
            log.warning("cannot create a system object", kind=obj["kind"], object=str(key), error=error.message)

    async def ensure_kubernetes_service(self, ips: ClusterIps, port: int) -> None:
        """Its address may be claimed while it is not there yet: another apiserver is between the two writes, or died there."""
        for _ in range(_CLAIM_ATTEMPTS):
            try:
                return await self.ensure(kubernetes_service(ips.first, port))
            except Invalid:
                await self._clock.sleep(_CLAIM_RETRY_S)
        await ips.give_back(ips.first, NamespacedName("default", "kubernetes"))
        return await self.ensure(kubernetes_service(ips.first, port))


def system_objects(config: ApiserverConfig) -> list[JsonObject]:
    """In the order in which they need each other."""
    objects: list[JsonObject] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES
    ]
    objects += [
        {
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
            "description": description,
        }
        for name, value, description in _PRIORITY_CLASSES
    ]
    objects += [
        {
            "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": [config.service_cluster_ip_range]},
        },
    ]
    return [*objects, authentication_config(config)]


def kubernetes_service(address: str, port: int) -> JsonObject:
    return {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "kubernetes", "namespace": "default", "labels": {"provider": "kubernetes", "component": "apiserver"},
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": port}],
        },
    }


def authentication_config(config: ApiserverConfig) -> JsonObject:
    """What aggregated API servers need to know callers by."""
    data = {"client-ca-file": Path(config.serving_tls.ca_file).read_text()}
    if config.requestheader_client_ca_file:
        names = {
            "requestheader-username-headers": config.requestheader_username_headers,
            "requestheader-group-headers": config.requestheader_group_headers,
            "requestheader-extra-headers-prefix": config.requestheader_extra_headers_prefix,
            "requestheader-allowed-names": config.requestheader_allowed_names,
        }
        if config.requestheader_uid_headers:
            names["requestheader-uid-headers"] = config.requestheader_uid_headers
        data |= {key: msgspec.json.encode(value).decode() for key, value in names.items()}
        data["requestheader-client-ca-file"] = Path(config.requestheader_client_ca_file).read_text()
    metadata = {"name": "extension-apiserver-authentication", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
