"""A static Pod out of a file, pure. Follows pkg/kubelet/config/common.go.

Its uid is the hash of node, file and contents: another text is another Pod. It may name nothing that the API has, for it runs without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from kube.api.core_v1 import Container, Pod, Toleration, Volume
from kube.apimachinery.codec.yaml import decode_yaml
from kube.apimachinery.errors import BadRequest
from node_agent.runtime.references import InvalidImageNameError, parse_reference

HASH: Final = "kubernetes.io/config.hash"
SOURCE: Final = "kubernetes.io/config.source"
SEEN: Final = "kubernetes.io/config.seen"
MIRROR: Final = "kubernetes.io/config.mirror"

FROM_API: Final = {
    "config_map": "configmaps (via configmap volumes)", "secret": "secrets (via secret volumes)", "csi": "csidrivers (via CSI volumes)",
    "persistent_volume_claim": "persistentvolumeclaims", "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
}
PROJECTED_FROM_API: Final = {
    "config_map": "configmaps (via projected volumes)", "secret": "secrets (via projected volumes)",
    "service_account_token": "serviceaccounts (via projected volumes)", "cluster_trust_bundle": "clustertrustbundles",
    "pod_certificate": "podcertificates",
}


class ManifestError(Exception):
    """The file describes no Pod that can run here; the message says why."""


def static_pod(text: bytes, file: str, node_name: str, seen: str) -> Pod:
    """Raises ManifestError. `seen`: when the file was read."""
    try:
        document = decode_yaml(text)
        if not isinstance(document, dict) or document.get("kind") != "Pod" or document.get("apiVersion") != "v1":
            raise ManifestError("not a Pod of v1")
        pod = msgspec.convert(document, Pod)
    except (BadRequest, msgspec.ValidationError) as error:
        raise ManifestError(str(error)) from error
    _check(pod)
    metadata, spec = pod.metadata, pod.spec
    uid = metadata.uid or hashlib.sha256(text + f"host:{node_name}file:{file}".encode()).hexdigest()[:32]
    everywhere = Toleration(operator="Exists", effect="NoExecute")
    return msgspec.structs.replace(
        pod, api_version="v1", kind="Pod",
        metadata=msgspec.structs.replace(
            metadata, uid=uid, name=f"{metadata.name}-{node_name.lower()}", namespace=metadata.namespace or "default",
            annotations={**metadata.annotations, HASH: uid, SOURCE: "file", SEEN: seen},
        ),
        spec=msgspec.structs.replace(
            spec, node_name=node_name, restart_policy=spec.restart_policy or "Always", dns_policy=spec.dns_policy or "ClusterFirst",
            termination_grace_period_seconds=30 if spec.termination_grace_period_seconds is None else spec.termination_grace_period_seconds,
            enable_service_links=spec.enable_service_links is not False,
            tolerations=(*(held for held in spec.tolerations if held != everywhere), everywhere),
            containers=_with_defaults(spec.containers), init_containers=_with_defaults(spec.init_containers),
        ),
    )


def content_hash(pod: Pod) -> str:
    return pod.metadata.annotations.get(HASH, "")


def _with_defaults(containers: Sequence[Container]) -> tuple[Container, ...]:
    return tuple(
        msgspec.structs.replace(container, image_pull_policy=container.image_pull_policy or _pull_policy(container.image))
        for container in containers
    )


def _pull_policy(image: str) -> str:
    try:
        return "Always" if str(parse_reference(image)).endswith(":latest") else "IfNotPresent"
    except InvalidImageNameError:
        return "IfNotPresent"


def _check(pod: Pod) -> None:
    if not pod.metadata.name:
        raise ManifestError("invalid pod: name is needed for the pod")
    everyone = (*pod.spec.init_containers, *pod.spec.containers)
    if not pod.spec.containers:
        raise ManifestError("invalid pod: spec.containers: Required value")
    for container in everyone:
        if not container.name or not container.image:
            raise ManifestError(f"invalid pod: container {container.name!r} needs a name and an image")
    if len({container.name for container in everyone}) < len(everyone):
        raise ManifestError("invalid pod: two containers have one name")
    if pod.spec.ephemeral_containers:
        raise ManifestError("invalid pod: spec.ephemeralContainers: Forbidden: cannot be set on create")
    if resource := _api_reference(pod):
        raise ManifestError(f"static pods may not reference {resource}")


def _api_reference(pod: Pod) -> str:
    """Which resource of the API the Pod needs, "" for none. Follows HasAPIObjectReference."""
    spec = pod.spec
    if spec.service_account_name or spec.service_account:
        return "serviceaccounts"
    if spec.image_pull_secrets:
        return "secrets"
    for container in (*spec.init_containers, *spec.containers):
        for source in container.env_from:
            if source.secret_ref is not None or source.config_map_ref is not None:
                return "secrets" if source.secret_ref is not None else "configmaps"
        for variable in container.env:
            value = variable.value_from
            if value is not None and (value.secret_key_ref is not None or value.config_map_key_ref is not None):
                return "secrets" if value.secret_key_ref is not None else "configmaps"
    if spec.resource_claims:
        return "resourceclaims"
    return next((found for volume in spec.volumes if (found := _volume_reference(volume))), "")


def _volume_reference(volume: Volume) -> str:
    if found := _first(volume, FROM_API):
        return found
    for source in volume.projected.sources if volume.projected is not None else ():
        if found := _first(source, PROJECTED_FROM_API):
            return found
    return ""


def _first(source: Any, words: Mapping[str, str]) -> str:
    return next((text for name, text in words.items() if getattr(source, name) is not None), "")
