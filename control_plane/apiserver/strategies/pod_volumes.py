"""Rules for a Pod's volumes: one source each, and what every source must name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.pod_containers import validate_field_ref, validate_relative_path
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns_label_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    required,
)

_MODE_PROBLEM: Final = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES: Final = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
# What a source cannot be without: (source, field).
_REQUIRED: Final = {
    "hostPath": ("path",), "secret": ("secretName",), "configMap": ("name",), "persistentVolumeClaim": ("claimName",),
    "nfs": ("server", "path"), "csi": ("driver",), "iscsi": ("targetPortal", "iqn"), "glusterfs": ("endpoints", "path"),
    "cephfs": ("monitors",), "rbd": ("monitors", "image"), "gcePersistentDisk": ("pdName",), "awsElasticBlockStore": ("volumeID",),
    "gitRepo": ("repository",), "flexVolume": ("driver",), "cinder": ("volumeID",), "azureFile": ("secretName", "shareName"),
    "azureDisk": ("diskName", "diskURI"), "vsphereVolume": ("volumePath",), "portworxVolume": ("volumeID",), "image": ("reference",),
}
_DOWNWARD_FIELDS: Final = frozenset({"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"})


def validate_volumes(volumes: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        name = volume.get("name") or ""
        causes += each(f"{at}.name", name, dns_label_problems(name)) if name else [required(f"{at}.name")]
        if name and name in names:
            causes.append(duplicate(f"{at}.name", name))
        names.add(name)
        causes += _validate_source(volume, at)
    return causes


def _validate_source(volume: JsonObject, path: str) -> list[Cause]:
    chosen = [key for key, value in volume.items() if key != "name" and value is not None]
    if not chosen:
        return [required(path, "must specify a volume type")]
    causes = [forbidden(f"{path}.{key}", "may not specify more than 1 volume type") for key in chosen[1:]]
    kind, source = chosen[0], volume[chosen[0]]
    at = f"{path}.{kind}"
    causes += [required(f"{at}.{field}") for field in _REQUIRED.get(kind, ()) if not source.get(field)]
    causes += _validate_mode(source.get("defaultMode"), f"{at}.defaultMode")
    if kind in {"secret", "configMap"}:
        causes += _validate_items(source.get("items") or (), f"{at}.items")
    if kind == "downwardAPI":
        causes += _validate_downward(source.get("items") or (), f"{at}.items")
    if kind == "projected":
        causes += _validate_projected(source, at)
    if kind == "hostPath":
        if ".." in (source.get("path") or "").split("/"):
            causes.append(invalid(f"{at}.path", source["path"], "must not contain '..'"))
        if source.get("type", "") not in _HOST_PATH_TYPES:
            causes.append(not_supported(f"{at}.type", source["type"], _HOST_PATH_TYPES))
    return causes


def _validate_mode(mode: Any, path: str) -> list[Cause]:
    return [invalid(path, mode, _MODE_PROBLEM)] if mode is not None and not 0 <= mode <= 0o777 else []


def _validate_items(items: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if not item.get("key"):
            causes.append(required(f"{at}.key"))
        causes += _validate_item_path(item, at)
    return causes


def _validate_item_path(item: JsonObject, path: str) -> list[Cause]:
    causes = _validate_mode(item.get("mode"), f"{path}.mode")
    return [*_validate_file_path(item.get("path") or "", f"{path}.path"), *causes]


def _validate_file_path(where: str, path: str) -> list[Cause]:
    """A file's path in its volume: the kubelet writes it, so it must not lead out."""
    if not where:
        return [required(path)]
    causes = validate_relative_path(where, path)
    if where.startswith(".."):
        causes.append(invalid(path, where, "must not start with '..'"))
    return causes


def _validate_downward(items: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        causes += _validate_item_path(item, at)
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None:
            causes += validate_field_ref(field, f"{at}.fieldRef", _DOWNWARD_FIELDS)
            if resource is not None:
                causes.append(invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
        elif resource is None:
            causes.append(required(at, "one of fieldRef and resourceFieldRef is required"))
        elif not resource.get("containerName"):
            causes.append(required(f"{at}.resourceFieldRef.containerName"))
    return causes


def _validate_projected(source: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, part in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        for key in ("secret", "configMap"):
            if part.get(key) is not None:
                if not part[key].get("name"):
                    causes.append(required(f"{at}.{key}.name"))
                causes += _validate_items(part[key].get("items") or (), f"{at}.{key}.items")
        if part.get("downwardAPI") is not None:
            causes += _validate_downward(part["downwardAPI"].get("items") or (), f"{at}.downwardAPI.items")
        if (token := part.get("serviceAccountToken")) is not None:
            causes += _validate_token(token, f"{at}.serviceAccountToken")
        if (bundle := part.get("clusterTrustBundle")) is not None:
            causes += _validate_file_path(bundle.get("path") or "", f"{at}.clusterTrustBundle.path")
        for key in ("credentialBundlePath", "keyPath", "certificateChainPath"):
            if where := (part.get("podCertificate") or {}).get(key):
                causes += _validate_file_path(where, f"{at}.podCertificate.{key}")
    return causes


def _validate_token(token: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    expiration = token.get("expirationSeconds") or 0
    if expiration < 600:
        causes.append(invalid(f"{path}.expirationSeconds", expiration, "may not specify a duration less than 10 minutes"))
    if expiration > 1 << 32:
        causes.append(invalid(f"{path}.expirationSeconds", expiration, "may not specify a duration larger than 2^32 seconds"))
    return [*causes, *_validate_file_path(token.get("path") or "", f"{path}.path")]
