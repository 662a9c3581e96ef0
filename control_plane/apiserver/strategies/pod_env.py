"""Rules for a container's environment, and for the references into the Pod that downward volumes share with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.metadata import masked_prefix
from control_plane.apiserver.strategies.paths import validate_non_reserved_path
from control_plane.apiserver.strategies.resource_lists import read
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    config_key_problems,
    dns_label_problems,
    dns_subdomain_problems,
    each,
    env_name_problems,
    invalid,
    not_supported,
    qualified_name_problems,
    required,
    value_not_found,
)

ENV_FIELDS: Final = ("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
                     "status.hostIPs", "status.podIP", "status.podIPs")
DOWNWARD_FIELDS: Final = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_SOURCES: Final = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_LABELS: Final = frozenset({*ENV_FIELDS, *DOWNWARD_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"})
_RESOURCES: Final = ("limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
                     "requests.memory")
_HUGE_PAGES: Final = ("limits.hugepages-", "requests.hugepages-")
_BYTES: Final = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_OF_BYTES: Final = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}


def validate_env(env: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, variable in enumerate(env):
        name = variable.get("name") or ""
        if not name:
            causes.append(required(f"{path}[{index}].name"))
        elif problems := env_name_problems(name):
            causes += each(f"{path}[{index}].name", name, problems)
        if variable.get("valueFrom") is not None:
            causes += _validate_source(variable, f"{path}[{index}].valueFrom")
    return causes


def _validate_source(variable: JsonObject, path: str) -> list[Cause]:
    source = variable["valueFrom"]
    chosen = [key for key in _SOURCES if source.get(key) is not None]
    causes: list[Cause] = []
    for key in chosen:
        ref, at = source[key], f"{path}.{key}"
        if key == "fieldRef":
            causes += validate_field_ref(ref, at, ENV_FIELDS)
        elif key == "resourceFieldRef":
            causes += validate_resource_ref(ref, at, in_volume=False)
        elif key == "fileKeyRef":
            causes += _validate_file_ref(ref, at)
        else:
            causes += _validate_key_ref(ref, at)
    if not chosen:
        causes.append(invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
                                        "`fileKeyRef`"))
    elif variable.get("value"):
        causes.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(chosen) > 1:
        causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    return causes


def validate_field_ref(ref: JsonObject, path: str, known: Sequence[str]) -> list[Cause]:
    """A field of the Pod; one label or annotation of it may be asked for in brackets."""
    version, field = ref.get("apiVersion") or "", ref.get("fieldPath") or ""
    if not version:
        return [required(f"{path}.apiVersion")]
    if not field:
        return [required(f"{path}.fieldPath")]
    if version == "v1" and field in known:
        return []
    wrong = f"{path}.fieldPath"
    if version != "v1":
        return [invalid(wrong, field, f"error converting fieldPath: unsupported pod version: {version}")]
    whole, bracket, key = field[:-2].partition("['") if field.endswith("']") else ("", "", "")
    if whole and bracket:
        if whole not in {"metadata.annotations", "metadata.labels"}:
            return [invalid(wrong, field, f"error converting fieldPath: field label does not support subscript: {field}")]
        key = key.lower() if whole == "metadata.annotations" else key
        return each(path, key, qualified_name_problems(key))
    field = "spec.nodeName" if field == "spec.host" else field
    if field not in _LABELS:
        return [invalid(wrong, field, f"error converting fieldPath: field label not supported: {field}")]
    return [] if field in known else [not_supported(wrong, field, known)]


def validate_resource_ref(ref: JsonObject, path: str, *, in_volume: bool) -> list[Cause]:
    resource = ref.get("resource") or ""
    causes: list[Cause] = []
    if in_volume and not ref.get("containerName"):
        causes.append(required(f"{path}.containerName"))
    elif not resource:
        causes.append(required(f"{path}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        causes.append(not_supported(f"{path}.resource", resource, _RESOURCES))
    return causes + _validate_divisor(resource, ref.get("divisor"), f"{path}.divisor")


def _validate_divisor(resource: str, divisor: Any, path: str) -> list[Cause]:
    amount = read(divisor)
    if not amount:
        return []
    name = resource.partition(".")[2]
    if name == "cpu":
        return [] if str(amount) in {"1m", "1"} else [
            invalid(path, resource, "only divisor's values 1m and 1 are supported with the cpu resource")]
    words = "hugepages" if resource.startswith(_HUGE_PAGES) else _OF_BYTES.get(name, "")
    if not words or str(amount) in _BYTES:
        return []
    return [invalid(path, resource, f"only divisor's values {', '.join(_BYTES)} are supported with the {words} resource")]


def _validate_key_ref(ref: JsonObject, path: str) -> list[Cause]:
    name, key = ref.get("name") or "", ref.get("key") or ""
    causes = each(f"{path}.name", name, dns_subdomain_problems(name))
    return causes + (each(f"{path}.key", key, config_key_problems(key)) if key else [required(f"{path}.key")])


def _validate_file_ref(ref: JsonObject, path: str) -> list[Cause]:
    key, volume, file = (ref.get(name) or "" for name in ("key", "volumeName", "path"))
    causes = each(f"{path}.key", key, env_name_problems(key)) if key else [required(f"{path}.key")]
    causes += each(f"{path}.volumeName", volume, dns_label_problems(volume)) if volume else [required(f"{path}.volumeName")]
    return causes + (validate_non_reserved_path(file, f"{path}.path") if file else [required(f"{path}.path")])


def validate_file_volumes(spec: JsonObject, path: str) -> list[Cause]:
    """Variables out of files come from emptyDirs of the Pod."""
    volumes = {volume.get("name"): volume for volume in spec.get("volumes") or ()}
    causes: list[Cause] = []
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for place, container in enumerate(spec.get(group) or ()):
            for index, variable in enumerate(container.get("env") or ()):
                if (reference := (variable.get("valueFrom") or {}).get("fileKeyRef")) is None:
                    continue
                name, at = reference.get("volumeName") or "", f"{path}.{group}[{place}].env[{index}].valueFrom.fileKeyRef.volumeName"
                if name not in volumes:
                    causes.append(value_not_found(at, name))
                elif volumes[name].get("emptyDir") is None:
                    causes.append(invalid(at, name, "referenced volume must be of type emptyDir"))
    return causes


def validate_env_from(sources: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            causes += each(f"{at}.prefix", prefix, env_name_problems(prefix))
        chosen = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
        for key in chosen:
            name = source[key].get("name") or ""
            causes += each(f"{at}.{key}.name", name, dns_subdomain_problems(masked_prefix(name))) if name else \
                [required(f"{at}.{key}.name")]
        if not chosen:
            causes.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(chosen) > 1:
            causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    return causes
