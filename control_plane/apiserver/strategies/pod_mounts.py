"""Rules for where a container finds its volumes: directories (volumeMounts) and raw devices (volumeDevices)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.paths import validate_no_backsteps, validate_relative_path
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import forbidden, invalid, not_supported, required, value_not_found

_PROPAGATIONS: Final = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE: Final = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: JsonObject, volumes: Mapping[str, Any], path: str) -> list[Cause]:
    """`volumes`: the Pod's valid volumes by name; `path` is the list's."""
    causes: list[Cause] = []
    seen: set[str] = set()
    devices = {device.get("name") or "": device.get("devicePath") or "" for device in container.get("volumeDevices") or ()}
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        at = f"{path}[{index}]"
        if not name:
            causes.append(required(f"{at}.name"))
        if name not in volumes:
            causes.append(value_not_found(f"{at}.name", name))
        if not where:
            causes.append(required(f"{at}.mountPath"))
        if where in seen:
            causes.append(invalid(f"{at}.mountPath", where, "must be unique"))
        seen.add(where)
        if devices:
            causes += _overlap(name, where, devices, at, "mountPath", "volumeDevices")
        causes += _validate_details(mount, container, path, at)
    return causes


def _overlap(name: str, where: str, others: Mapping[str, str], path: str, key: str, what: str) -> list[Cause]:
    causes = [invalid(f"{path}.name", name, f"must not already exist in {what}")] if name in others else []
    if where in others.values():
        causes.append(invalid(f"{path}.{key}", where, f"must not already exist as a path in {what}"))
    return causes


def _validate_details(mount: JsonObject, container: JsonObject, path: str, at: str) -> list[Cause]:
    """Upstream names the list, not the entry, where these are wrong."""
    causes: list[Cause] = []
    if sub_path := mount.get("subPath"):
        causes += validate_relative_path(sub_path, f"{path}.subPath")
    if expression := mount.get("subPathExpr"):
        if sub_path:
            causes.append(invalid(f"{at}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive"))
        causes += validate_relative_path(expression, f"{path}.subPathExpr")
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        if propagation not in _PROPAGATIONS:
            causes.append(not_supported(f"{path}.mountPropagation", propagation, _PROPAGATIONS))
        if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
            causes.append(forbidden(f"{path}.mountPropagation",
                                    "Bidirectional mount propagation is available only to privileged containers"))
    if (recursive := mount.get("recursiveReadOnly")) is not None:
        causes += _validate_recursive(recursive, mount, f"{path}.recursiveReadOnly")
    return causes


def _validate_recursive(recursive: str, mount: JsonObject, path: str) -> list[Cause]:
    if recursive not in _RECURSIVE:
        return [not_supported(path, recursive, _RECURSIVE)]
    if recursive == "Disabled":
        return []
    causes = [] if mount.get("readOnly") else [forbidden(path, "may only be specified when readOnly is true")]
    if mount.get("mountPropagation") not in {None, "None"}:
        causes.append(forbidden(path, "may only be specified when mountPropagation is None or not specified"))
    return causes


def validate_devices(devices: Sequence[JsonObject], container: JsonObject, volumes: Mapping[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    paths: set[str] = set()
    mounts = {mount.get("name") or "": mount.get("mountPath") or "" for mount in container.get("volumeMounts") or ()}
    for index, device in enumerate(devices):
        at, name, where = f"{path}[{index}]", device.get("name") or "", device.get("devicePath") or ""
        if not name:
            causes.append(required(f"{at}.name"))
        if name in names:
            causes.append(invalid(f"{at}.name", name, "must be unique"))
        if name not in volumes:
            causes.append(value_not_found(f"{at}.name", name))
        elif volumes[name].get("persistentVolumeClaim") is None and volumes[name].get("ephemeral") is None:
            causes.append(invalid(f"{at}.name", name,
                                  "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"))
        if not where:
            causes.append(required(f"{at}.devicePath"))
        if where in paths:
            causes.append(invalid(f"{at}.devicePath", where, "must be unique"))
        if validate_no_backsteps(where, path):
            causes.append(invalid(f"{at}.devicePath", where, "can not contain backsteps ('..')"))
        else:
            paths.add(where)
        causes += _overlap(name, where, mounts, at, "devicePath", "volumeMounts")
        if name:
            names.add(name)
    return causes
