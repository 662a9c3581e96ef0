"""Which objects the Pods of a node refer to. Follows upstream's node authorizer graph, flattened: node -> referred objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from control_plane.storage.cached_object import CachedObject
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType

MIRROR_ANNOTATION: Final = "kubernetes.io/config.mirror"


class Reference(NamedTuple):
    resource: str
    namespace: str
    name: str


def _row(group: str, plural: str) -> ResourceType:
    row = SCHEME.for_path(group, "v1", plural)
    assert row is not None
    return row


_PODS = _row("", "pods")
_CLAIMS = _row("", "persistentvolumeclaims")
_VOLUMES = _row("", "persistentvolumes")
_BY_NODE: Final = {      # whose spec names the node itself
    "volumeattachments": _row("storage.k8s.io", "volumeattachments"), "resourceslices": _row("resource.k8s.io", "resourceslices"),
    "podcertificaterequests": _row("certificates.k8s.io", "podcertificaterequests"),
}


class NodeGraph:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._pods: dict[str, tuple[str, tuple[Reference, ...]]] = {}     # by key: node and what the Pod refers to
        self._referred: dict[str, Counter[Reference]] = {}                # by node
        cache.observe(_PODS, self._on_pod, self._reset)

    def is_related(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Is the object one that a Pod bound to `node` needs, directly or through its claim's volume."""
        referred = self._referred.get(node)
        if referred and Reference(resource, namespace, name) in referred:
            return True
        if resource == "persistentvolumes":
            return self._is_bound_volume(node, name)
        if resource == "secrets":
            return self._is_secret_of_volume(node, namespace, name)
        if row := _BY_NODE.get(resource):
            held = self._cache.get(row, NamespacedName(namespace, name))
            return held is not None and (held.obj.get("spec") or {}).get("nodeName") == node
        return False

    def _is_bound_volume(self, node: str, name: str) -> bool:
        held = self._cache.get(_VOLUMES, NamespacedName("", name))
        claim = ((held.obj.get("spec") or {}).get("claimRef") if held else None) or {}
        return Reference("persistentvolumeclaims", claim.get("namespace", ""), claim.get("name", "")) in self._referred.get(node, ())

    def _is_secret_of_volume(self, node: str, namespace: str, name: str) -> bool:
        for reference in self._referred.get(node, ()):
            if reference.resource != "persistentvolumeclaims":
                continue
            claim = self._cache.get(_CLAIMS, NamespacedName(reference.namespace, reference.name))
            volume_name = (claim.obj.get("spec") or {}).get("volumeName", "") if claim else ""
            volume = self._cache.get(_VOLUMES, NamespacedName("", volume_name)) if volume_name else None
            if volume and (namespace, name) in set(_secret_refs(volume.obj.get("spec") or {}, reference.namespace)):
                return True
        return False

    def _on_pod(self, event: CacheEvent) -> None:
        self._forget(event.object.key)
        if event.type != "DELETED":
            self._add(event.object)

    def _reset(self, pods: Iterable[CachedObject]) -> None:
        self._pods.clear()
        self._referred.clear()
        for pod in pods:
            self._add(pod)

    def _add(self, pod: CachedObject) -> None:
        node = (pod.obj.get("spec") or {}).get("nodeName")
        if node:
            references = tuple(references_of(pod.obj))
            self._pods[pod.key] = node, references
            self._referred.setdefault(node, Counter()).update(references)

    def _forget(self, key: str) -> None:
        node, references = self._pods.pop(key, ("", ()))
        if node:
            referred = self._referred[node]
            for reference in references:
                referred[reference] -= 1
                if not referred[reference]:
                    del referred[reference]


def references_of(pod: JsonObject) -> set[Reference]:
    """What the kubelet must read to run the Pod. A mirror Pod (made by the kubelet itself) gives no rights."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    namespace = metadata.get("namespace", "")
    found = {Reference("pods", namespace, metadata["name"])}
    if MIRROR_ANNOTATION in (metadata.get("annotations") or {}):
        return found
    if account := spec.get("serviceAccountName"):
        found.add(Reference("serviceaccounts", namespace, account))
    for containers in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(containers) or ():
            found |= {Reference(resource, namespace, name) for resource, name in _environment_refs(container)}
    for volume in spec.get("volumes") or ():
        found |= {Reference(resource, namespace, name) for resource, name in _volume_refs(volume, metadata["name"])}
    found |= {Reference("secrets", namespace, secret.get("name", "")) for secret in spec.get("imagePullSecrets") or ()}
    for status in (pod.get("status") or {}).get("resourceClaimStatuses") or ():
        found.add(Reference("resourceclaims", namespace, status.get("resourceClaimName", "")))
    for claim in spec.get("resourceClaims") or ():
        found.add(Reference("resourceclaims", namespace, claim.get("resourceClaimName", "")))
    return {reference for reference in found if reference.name}


def _environment_refs(container: JsonObject) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield "secrets", (source.get("secretRef") or {}).get("name", "")
        yield "configmaps", (source.get("configMapRef") or {}).get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield "secrets", (source.get("secretKeyRef") or {}).get("name", "")
        yield "configmaps", (source.get("configMapKeyRef") or {}).get("name", "")


def _volume_refs(volume: JsonObject, pod_name: str) -> Iterator[tuple[str, str]]:
    yield "secrets", (volume.get("secret") or {}).get("secretName", "")
    yield "configmaps", (volume.get("configMap") or {}).get("name", "")
    yield "persistentvolumeclaims", (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
    if volume.get("ephemeral"):
        yield "persistentvolumeclaims", f"{pod_name}-{volume.get('name', '')}"
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield "secrets", (source.get("secret") or {}).get("name", "")
        yield "configmaps", (source.get("configMap") or {}).get("name", "")
    for secret_ref in _find_secret_refs(volume):
        yield "secrets", secret_ref.get("name", "")


def _find_secret_refs(volume: JsonObject) -> Iterator[dict[str, Any]]:
    """Of volume drivers (csi's nodePublishSecretRef, iscsi's and cephfs' secretRef, azureFile's secretName ...)."""
    for key, source in volume.items():
        if not isinstance(source, dict) or key in ("secret", "projected", "ephemeral"):
            continue
        for field in ("secretRef", "nodePublishSecretRef"):
            if isinstance(source.get(field), dict):
                yield source[field]
        if isinstance(source.get("secretName"), str):
            yield {"name": source["secretName"]}


def _secret_refs(spec: JsonObject, claim_namespace: str) -> Iterator[tuple[str, str]]:
    for source in spec.values():
        if not isinstance(source, dict):
            continue
        for field in ("secretRef", "nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"):
            if isinstance(ref := source.get(field), dict):
                yield ref.get("namespace") or claim_namespace, ref.get("name", "")
        if isinstance(source.get("secretName"), str):
            yield source.get("secretNamespace") or claim_namespace, source["secretName"]
