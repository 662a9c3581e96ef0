"""Whether a Pod names other objects of the API. Follows pkg/api/pod's HasAPIObjectReference."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.authorization.node_graph import references_of
from kube.apimachinery.meta import JsonObject

_HARMLESS: Final = frozenset({
    "awsElasticBlockStore", "azureDisk", "cephfs", "cinder", "downwardAPI", "emptyDir", "fc", "flexVolume", "flocker", "gcePersistentDisk",
    "gitRepo", "hostPath", "image", "iscsi", "nfs", "photonPersistentDisk", "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos",
    "vsphereVolume",
})
_VOLUMES: Final = {
    "configMap": "configmaps (via configmap volumes)", "secret": "secrets (via secret volumes)", "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)", "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)", "azureFile": "secrets (via azureFile volumes)",
}
_PROJECTED: Final = {
    "configMap": "configmaps (via projected volumes)", "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)", "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}


class UnknownReference(Exception):
    """A volume of a kind that nobody here knows; the message is upstream's."""


def api_reference_of(spec: JsonObject) -> str:
    """The resource that a Pod's spec refers to, the first that is found, as upstream tells it; "" if it refers to none.

    Raises UnknownReference.
    """
    if spec.get("serviceAccountName"):
        return "serviceaccounts"
    named = {reference.resource for reference in references_of({"metadata": {"name": ""}, "spec": spec})}
    for resource in ("secrets", "configmaps"):
        if resource in named:
            return resource
    if spec.get("resourceClaims"):
        return "resourceclaims"
    return next((found for volume in spec.get("volumes") or () if (found := _of_volume(volume))), "")


def refers_to_secrets(spec: JsonObject) -> bool:
    return any(reference.resource == "secrets" for reference in references_of({"metadata": {"name": ""}, "spec": spec}))


def _of_volume(volume: JsonObject) -> str:
    if any(volume.get(kind) is not None for kind in _HARMLESS):
        return ""
    for kind, words in _VOLUMES.items():
        if volume.get(kind) is not None:
            return words
    if volume.get("projected") is None:
        raise UnknownReference(f'unknown volume type for volume  "{volume.get("name", "")}"')
    for source in volume["projected"].get("sources") or ():
        for kind, words in _PROJECTED.items():
            if source.get(kind) is not None:
                return words
        if source.get("downwardAPI") is None:
            raise UnknownReference(f'unknown source for projected volume "{volume.get("name", "")}"')
    return ""
