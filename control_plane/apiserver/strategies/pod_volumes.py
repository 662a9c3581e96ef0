"""Rules for a Pod's volumes: one source each, and what every source must name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.certificates import validate_signer_name
from control_plane.apiserver.strategies.metadata import validate_annotations, validate_labels
from control_plane.apiserver.strategies.paths import validate_non_reserved_path
from control_plane.apiserver.strategies.persistent_volume_claims import validate_claim_spec
from control_plane.apiserver.strategies.pod_certificate_requests import longest_s, user_annotation_causes
from control_plane.apiserver.strategies.pod_env import DOWNWARD_FIELDS, validate_field_ref, validate_resource_ref
from control_plane.apiserver.strategies.resource_lists import read
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.volume_sources import PATHS, SOURCES, more_than_one, validate_driver_name
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import (
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    required,
)

PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_MODE_PROBLEM: Final = "must be a number between 0 and 0777 (octal), both inclusive"
# The order in which upstream looks: the first source counts, the others are one too many.
_ORDER: Final = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi", "glusterfs", "flocker",
    "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc", "flexVolume", "configMap", "azureFile",
    "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO", "csi", "ephemeral",
    "image",
)
_ODD_NAMES: Final = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}      # as upstream spells them where there is one too many
_ISCSI_TOO_LONG: Final = ("Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is "
                          "specified.")


def validate_volumes(volumes: Sequence[JsonObject], path: str, pod_name: str = "", *, in_pod: bool = False) \
        -> tuple[dict[str, JsonObject], list[Cause]]:
    """The volumes that are in order, by name, and what is wrong with the others. `pod_name`: of a Pod that is no template."""
    causes: list[Cause] = []
    good: dict[str, JsonObject] = {}
    created = {f"{pod_name}-{volume.get('name')}" for volume in volumes if pod_name and volume.get("ephemeral") is not None}
    for index, volume in enumerate(volumes):
        at, name = f"{path}[{index}]", volume.get("name") or ""
        wrong = _validate_source(volume, name, at, pod_name, in_pod=in_pod)
        wrong += each(f"{at}.name", name, dns_label_problems(name)) if name else [required(f"{at}.name")]
        if name in good:
            wrong.append(duplicate(f"{at}.name", name))
        if wrong:
            causes += wrong
        else:
            good[name] = volume
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in created:
            causes.append(invalid(f"{at}.persistentVolumeClaim.claimName", claim,
                                  "must not reference a PVC that gets created for an ephemeral volume"))
    return good, causes


def _validate_source(volume: JsonObject, name: str, path: str, pod_name: str, *, in_pod: bool) -> list[Cause]:
    chosen = [key for key in volume if key != "name" and volume[key] is not None]
    if not chosen:
        return [required(path, "must specify a volume type")]
    if len(chosen) > 1:
        chosen.sort(key=lambda key: _ORDER.index(key) if key in _ORDER else len(_ORDER))
    kind = chosen[0]
    source, at = volume[kind], f"{path}.{PATHS.get(kind, kind)}"
    if rule := _RULES.get(kind) or SOURCES.get(kind):
        causes = rule(source, at)
    elif kind == "ephemeral":
        causes = _validate_ephemeral(source, name, path, pod_name)
    else:
        causes = _validate_image(source, at, in_pod=in_pod) if kind == "image" else []
    if kind == "iscsi" and source.get("initiatorName") is not None and len(f"{name}:{source.get('targetPortal') or ''}") > 64:
        causes.append(invalid(f"{path}.name", name, _ISCSI_TOO_LONG))
    return causes + [more_than_one(path, _ODD_NAMES.get(key, key)) for key in chosen[1:]]


def _validate_empty_dir(source: JsonObject, path: str) -> list[Cause]:
    limit = read(source.get("sizeLimit"))
    wrong = limit is not None and limit < Quantity.of(0)
    return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")] if wrong else []


def _validate_keys(source: JsonObject, path: str) -> list[Cause]:
    """A ConfigMap or a Secret: the name is under a key of its own in the latter."""
    key = "secretName" if path.endswith(".secret") else "name"
    causes = [] if source.get(key) else [required(f"{path}.{key}")]
    return [*causes, *_validate_mode(source.get("defaultMode"), f"{path}.defaultMode"),
            *_validate_items(source.get("items") or (), f"{path}.items")]


def _validate_mode(mode: Any, path: str) -> list[Cause]:
    return [invalid(path, mode, _MODE_PROBLEM)] if mode is not None and not 0 <= mode <= 0o777 else []


def _validate_items(items: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if not item.get("key"):
            causes.append(required(f"{at}.key"))
        causes += _validate_file_path(item.get("path") or "", f"{at}.path")
        causes += _validate_mode(item.get("mode"), f"{at}.mode")
    return causes


def _validate_file_path(where: str, path: str) -> list[Cause]:
    """A file's path in its volume: the kubelet writes it, so it must not lead out."""
    return validate_non_reserved_path(where, path) if where else [required(path)]


def _validate_downward(source: JsonObject, path: str) -> list[Cause]:
    """Upstream names the volume, not the file, where a file is wrong."""
    causes = _validate_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items") or ():
        causes += _validate_file_path(item.get("path") or "", f"{path}.path")
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None:
            causes += validate_field_ref(field, f"{path}.fieldRef", DOWNWARD_FIELDS)
            if resource is not None:
                causes.append(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
        elif resource is not None:
            causes += validate_resource_ref(resource, f"{path}.resourceFieldRef", in_volume=True)
        else:
            causes.append(required(path, "one of fieldRef and resourceFieldRef is required"))
        causes += _validate_mode(item.get("mode"), f"{path}.mode")
    return causes


def _validate_projected(source: JsonObject, path: str) -> list[Cause]:
    causes = _validate_mode(source.get("defaultMode"), f"{path}.defaultMode")
    taken: set[str] = set()
    for index, part in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        for key in ("secret", "configMap", "downwardAPI"):
            if (content := part.get(key)) is None:
                continue
            if key == "downwardAPI":
                causes += _validate_downward(content, f"{at}.{key}")
            else:
                causes += [] if content.get("name") else [required(f"{at}.{key}.name")]
                causes += _validate_items(content.get("items") or (), f"{at}.{key}.items")
            for item in content.get("items") or ():
                where = item.get("path") or ""
                if where in taken:
                    causes.append(invalid(path, content.get("name") or where, "conflicting duplicate paths"))
                taken.add(where or "/")
        if (token := part.get("serviceAccountToken")) is not None:
            causes += _validate_token(token, f"{at}.serviceAccountToken", path)
        if (bundle := part.get("clusterTrustBundle")) is not None:
            causes += _validate_bundle(bundle, f"{at}.clusterTrustBundle", path, taken)
        if (certificate := part.get("podCertificate")) is not None:
            causes += _validate_certificate(certificate, f"{at}.podCertificate", path, taken)
        if sum(value is not None for value in part.values()) > 1:
            causes.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return causes


def _validate_token(token: JsonObject, path: str, volume: str) -> list[Cause]:
    causes: list[Cause] = []
    expiration = token.get("expirationSeconds") or 0
    if expiration < 600:
        causes.append(invalid(f"{path}.expirationSeconds", expiration, "may not specify a duration less than 10 minutes"))
    if expiration > 1 << 32:
        causes.append(invalid(f"{path}.expirationSeconds", expiration, "may not specify a duration larger than 2^32 seconds"))
    return [*causes, *_validate_file_path(token.get("path") or "", f"{volume}.path")]


def _validate_bundle(bundle: JsonObject, path: str, volume: str, taken: set[str]) -> list[Cause]:
    name, signer, selector = bundle.get("name"), bundle.get("signerName"), bundle.get("labelSelector")
    causes: list[Cause] = []
    if name is not None and signer is not None:
        causes.append(invalid(path, bundle, "only one of name and signerName may be used"))
    elif name is not None:
        causes += [] if name else [required(f"{path}.name", "must be a valid object name")]
        problems = dns_subdomain_problems(name.rpartition(":")[2])
        causes += each(f"{path}.name", name, [f"not a valid clustertrustbundlename: {problem}" for problem in problems])
        if selector is not None:
            causes.append(invalid(f"{path}.labelSelector", selector, "labelSelector must be unset if name is specified"))
    elif signer is not None:
        causes += [] if signer else [required(f"{path}.signerName", "must be a valid signer name")]
        causes += validate_signer_name(signer, f"{path}.signerName")
        causes += validate_label_selector(selector or {}, f"{path}.labelSelector")
    else:
        causes.append(required(path, "either name or signerName must be specified"))
    where = bundle.get("path") or ""
    causes += _validate_file_path(where, f"{path}.path")
    if where in taken:
        causes.append(invalid(volume, where, "conflicting duplicate paths"))
    taken.add(where)
    return causes


def _validate_certificate(source: JsonObject, path: str, volume: str, taken: set[str]) -> list[Cause]:
    signer, kind, seconds = source.get("signerName") or "", source.get("keyType") or "", source.get("maxExpirationSeconds")
    kinds = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
    causes = validate_signer_name(signer, f"{path}.signerName")
    causes += user_annotation_causes(source.get("userAnnotations") or {}, f"{path}.userAnnotations")
    causes += [] if kind in kinds else [not_supported(f"{path}.keyType", kind, kinds)]
    longest = longest_s(signer)
    if seconds is not None and not 3600 <= seconds <= longest:
        bound = ">= 3600" if seconds < 3600 else f"<= {longest}"
        causes.append(invalid(f"{path}.maxExpirationSeconds", seconds, f"if provided, maxExpirationSeconds must be {bound}"))
    files = [(key, source.get(key)) for key in ("credentialBundlePath", "keyPath", "certificateChainPath")]
    if not any(where for _, where in files):
        causes.append(required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"))
    for key, where in files:
        if where:
            causes += validate_non_reserved_path(where, f"{path}.{key}")
            causes += [invalid(volume, where, "conflicting duplicate paths")] if where in taken else []
            taken.add(where)
    return causes


def _validate_csi(source: JsonObject, path: str) -> list[Cause]:
    causes = validate_driver_name(source.get("driver") or "", f"{path}.driver")
    if (reference := source.get("nodePublishSecretRef")) is not None:
        name = reference.get("name") or ""
        causes += each(f"{path}.name", name, dns_subdomain_problems(name)) if name else [required(f"{path}.nodePublishSecretRef.name")]
    return causes


def _validate_ephemeral(source: JsonObject, name: str, path: str, pod_name: str) -> list[Cause]:
    template, at = source.get("volumeClaimTemplate"), f"{path}.ephemeral.volumeClaimTemplate"
    if template is None:
        causes = [required(at)]
    else:
        metadata = template.get("metadata") or {}
        causes = validate_annotations(metadata.get("annotations") or {}, f"{at}.metadata.annotations")
        causes += validate_labels(metadata.get("labels") or {}, f"{at}.metadata.labels")
        causes += [forbidden(f"{at}.metadata.{key}", "cannot be set") for key, value in metadata.items()
                   if value and key not in {"annotations", "labels", "creationTimestamp"}]
        causes += validate_claim_spec(template.get("spec") or {}, f"{at}.spec")
    if pod_name and name:
        claim = f"{pod_name}-{name}"
        causes += each(f"{path}.name", name, [f'PVC name "{claim}": {problem}' for problem in dns_subdomain_problems(claim)])
    return causes


def _validate_image(source: JsonObject, path: str, *, in_pod: bool) -> list[Cause]:
    causes = [required(f"{path}.reference")] if in_pod and not source.get("reference") else []
    policy = source.get("pullPolicy") or ""
    if policy not in PULL_POLICIES:
        causes.append(not_supported(f"{path}.pullPolicy", policy, PULL_POLICIES) if policy else required(f"{path}.pullPolicy"))
    return causes


_RULES: Final = {
    "emptyDir": _validate_empty_dir, "secret": _validate_keys, "configMap": _validate_keys, "downwardAPI": _validate_downward,
    "projected": _validate_projected, "csi": _validate_csi,
}
