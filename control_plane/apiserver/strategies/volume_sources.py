"""Rules for kinds of volumes that Pods and PersistentVolumes share: the ones from before CSI, and hostPath.

Each function takes the source and its path, and returns what is wrong with it. Follows core/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from control_plane.apiserver.strategies.paths import validate_no_backsteps, validate_relative_path
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns_label_problems,
    dns_subdomain_problems,
    each,
    forbidden,
    invalid,
    not_supported,
    range_problem,
    required,
    too_long,
)

SourceRule = Callable[[JsonObject, str], list[Cause]]

_HOST_PATH_TYPES: Final = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_INITIATORS: Final = {"iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([a-zA-Z0-9.-]+)(:[^,;*&$|\s]+)$"), "eui": re.compile(r"eui.[a-zA-Z0-9]{16}$"),
                      "naa": re.compile(r"naa.[a-zA-Z0-9]{32}$")}
_DISK_URIS: Final = {
    True: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
    False: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
}
# What a source cannot be without.
_REQUIRED: Final = {
    "glusterfs": ("endpoints", "path"), "cephfs": ("monitors",), "rbd": ("monitors", "image"), "cinder": ("volumeID",),
    "azureFile": ("secretName", "shareName"), "vsphereVolume": ("volumePath",), "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",), "scaleIO": ("gateway", "system", "volumeName"), "persistentVolumeClaim": ("claimName",),
}


def _simple(kind: str) -> SourceRule:
    return lambda source, path: [required(f"{path}.{key}") for key in _REQUIRED[kind] if not source.get(key)]


def _host_path(source: JsonObject, path: str) -> list[Cause]:
    if not source.get("path"):
        return [required(f"{path}.path")]
    causes = validate_no_backsteps(source["path"], f"{path}.path")
    kind = source.get("type") or ""
    return causes if kind in _HOST_PATH_TYPES else [*causes, not_supported(f"{path}.type", kind, _HOST_PATH_TYPES)]


def _nfs(source: JsonObject, path: str) -> list[Cause]:
    where = source.get("path") or ""
    causes = [required(f"{path}.{key}") for key in ("server", "path") if not source.get(key)]
    return causes if where.startswith("/") else [*causes, invalid(f"{path}.path", where, "must be an absolute path")]


def _git_repo(source: JsonObject, path: str) -> list[Cause]:
    causes = [] if source.get("repository") else [required(f"{path}.repository")]
    return causes + validate_relative_path(source.get("directory") or "", f"{path}.directory")


def _disk(key: str) -> SourceRule:
    def rule(source: JsonObject, path: str) -> list[Cause]:
        causes = [] if source.get(key) else [required(f"{path}.{key}")]
        partition = source.get("partition") or 0
        return causes if 0 <= partition <= 255 else [*causes, invalid(f"{path}.partition", partition, range_problem(1, 255))]
    return rule


def _iscsi(source: JsonObject, path: str) -> list[Cause]:
    causes = [] if source.get("targetPortal") else [required(f"{path}.targetPortal")]
    name, lun = source.get("iqn") or "", source.get("lun") or 0
    causes += _initiator(name, f"{path}.iqn") if name else [required(f"{path}.iqn")]
    if not 0 <= lun <= 255:
        causes.append(invalid(f"{path}.lun", lun, range_problem(0, 255)))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        causes.append(required(f"{path}.secretRef"))
    if (initiator := source.get("initiatorName")) is not None:
        causes += _initiator(initiator, f"{path}.initiatorname")
    return causes


def _initiator(name: str, path: str) -> list[Cause]:
    if (form := _INITIATORS.get(name[:3])) is None:
        return [invalid(path, name, "must be valid format starting with iqn, eui, or naa")]
    return [] if form.search(name) else [invalid(path, name, "must be valid format")]


def _fibre_channel(source: JsonObject, path: str) -> list[Cause]:
    targets, ids, lun = source.get("targetWWNs") or [], source.get("wwids") or [], source.get("lun")
    causes: list[Cause] = []
    if not targets and not ids:
        causes.append(required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if targets and ids:
        causes.append(invalid(f"{path}.targetWWNs", targets, "targetWWNs and wwids can not be specified simultaneously"))
    if targets and lun is None:
        causes.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif targets and lun is not None and not 0 <= lun <= 255:
        causes.append(invalid(f"{path}.lun", lun, range_problem(0, 255)))
    return causes


def _quobyte(source: JsonObject, path: str) -> list[Cause]:
    registry, words = source.get("registry") or "", "must be a host:port pair or multiple pairs separated by commas"
    causes: list[Cause] = []
    if not registry:
        causes.append(required(f"{path}.registry", words))
    elif len(source.get("tenant") or "") >= 65:
        causes.append(required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters"))
    else:
        causes += [invalid(f"{path}.registry", registry, words) for pair in registry.split(",") if pair.count(":") != 1]
    return causes if source.get("volume") else [*causes, required(f"{path}.volume")]


def _flocker(source: JsonObject, path: str) -> list[Cause]:
    name, uid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    causes = [] if name or uid else [required(path, "one of datasetName and datasetUUID is required")]
    if name and uid:
        causes.append(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    return [*causes, invalid(f"{path}.datasetName", name, "must not contain '/'")] if "/" in name else causes


def _flex(source: JsonObject, path: str) -> list[Cause]:
    causes = [] if source.get("driver") else [required(f"{path}.driver")]
    for key in source.get("options") or ():
        namespace = "." + key.partition("/")[0].lower()
        if namespace.endswith((".kubernetes.io", ".k8s.io")):
            causes.append(invalid(f"{path}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved"))
    return causes


def _azure_disk(source: JsonObject, path: str) -> list[Cause]:
    causes = [required(f"{path}.{key}") for key in ("diskName", "diskURI") if not source.get(key)]
    choices = (("cachingMode", ("None", "ReadOnly", "ReadWrite")), ("kind", ("Dedicated", "Managed", "Shared")))
    for key, known in choices:
        if source.get(key) is not None and source[key] not in known:
            causes.append(not_supported(f"{path}.{key}", source[key], known))
    if source.get("kind") is not None:
        managed, uri = source["kind"] == "Managed", source.get("diskURI") or ""
        if not uri.startswith("/subscriptions/" if managed else "https://"):
            causes.append(not_supported(f"{path}.diskURI", uri, (_DISK_URIS[managed],)))
    return causes


def _storage_os(source: JsonObject, path: str) -> list[Cause]:
    name, namespace = source.get("volumeName") or "", source.get("volumeNamespace") or ""
    causes = each(f"{path}.volumeName", name, dns_label_problems(name)) if name else [required(f"{path}.volumeName")]
    return causes + (each(f"{path}.volumeNamespace", namespace, dns_label_problems(namespace)) if namespace else [])


def _named_secret(rule: SourceRule) -> SourceRule:
    """Where a secretRef is given, it names a Secret."""
    def checked(source: JsonObject, path: str) -> list[Cause]:
        reference = source.get("secretRef")
        wrong = [required(f"{path}.secretRef.name")] if reference is not None and not reference.get("name") else []
        return rule(source, path) + wrong
    return checked


def validate_driver_name(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    causes = [too_long(path, 63)] if len(name) > 63 else []
    return causes + each(path, name, dns_subdomain_problems(name.lower()))


SOURCES: Final[Mapping[str, SourceRule]] = {
    "hostPath": _host_path, "gitRepo": _git_repo, "gcePersistentDisk": _disk("pdName"), "awsElasticBlockStore": _disk("volumeID"),
    "nfs": _nfs, "iscsi": _iscsi, "glusterfs": _simple("glusterfs"), "flocker": _flocker,
    "persistentVolumeClaim": _simple("persistentVolumeClaim"), "rbd": _simple("rbd"), "cinder": _named_secret(_simple("cinder")),
    "cephfs": _simple("cephfs"), "quobyte": _quobyte, "fc": _fibre_channel, "flexVolume": _flex, "azureFile": _simple("azureFile"),
    "vsphereVolume": _simple("vsphereVolume"), "photonPersistentDisk": _simple("photonPersistentDisk"),
    "portworxVolume": _simple("portworxVolume"), "azureDisk": _azure_disk, "storageos": _named_secret(_storage_os),
    "scaleIO": _simple("scaleIO"),
}
# Where upstream's path of what is inside differs from the field's name.
PATHS: Final = {"gcePersistentDisk": "persistentDisk"}


def more_than_one(path: str, kind: str) -> Cause:
    return forbidden(f"{path}.{kind}", "may not specify more than 1 volume type")
