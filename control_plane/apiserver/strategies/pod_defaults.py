"""Defaults of a Pod's spec, as `kubectl get -o yaml` shows them. Follows pkg/apis/core/v1/defaults.go.

`default_pod_spec` is what templates get too; `default_pod` adds what upstream fills into Pods alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity, QuantityError

_MILLI: Final = Decimal("0.001")
FILE_MODE: Final = 0o644
TOKEN_EXPIRATION_S: Final = 3600
_SOURCE_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "hostPath": {"type": ""}, "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
# An image's name as the registry's protocol has it: HOST/PATH:TAG@DIGEST; only the host may have capitals.
_PART: Final = "[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    r"(?:(?P<host>localhost(?=/)|(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]+)?(?=/))/)?"
    rf"(?P<path>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:"
    r"[0-9a-fA-F]{32,}))?", re.ASCII)
_LONGEST_NAME: Final = 255
_VOLUME_MODES: Final = ("secret", "configMap", "downwardAPI", "projected")


def default_pod_spec(spec: JsonObject) -> None:
    """Defaults shared by Pods and Pod templates."""
    _alias_service_account(spec)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    for container in containers_of(spec):
        _default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)
    if spec.get("resources"):
        _canonical_resources(spec["resources"])
    if spec.get("overhead"):
        spec["overhead"] = canonical_list(spec["overhead"])


def default_pod(spec: JsonObject) -> None:
    """Defaults of Pods that are not part of templates: requests from limits, service links, host ports."""
    spec.setdefault("enableServiceLinks", True)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1           # of templates not: for historical reasons
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        if limits := resources.get("limits"):
            resources["requests"] = {**limits, **(resources.get("requests") or {})}
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort")


def sync_service_account(spec: JsonObject) -> None:
    """`serviceAccount` is an old name of `serviceAccountName`; both are shown."""
    if name := spec.get("serviceAccountName"):
        spec["serviceAccount"] = name
    else:
        spec.pop("serviceAccount", None)


def containers_of(spec: JsonObject) -> Iterator[JsonObject]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(key) or ()


def default_pull_policy(image: str) -> str:
    """Always for an image without a tag or tagged latest, unless a digest pins it; what is no image's name has no tag to be latest."""
    match = _REFERENCE.fullmatch(image)
    if match is None or len(image.partition(":")[0]) > _LONGEST_NAME or re.fullmatch("[a-f0-9]{64}", image):
        return "IfNotPresent"
    tag, digest = match["tag"], match["digest"]
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"


def canonical_list(resources: JsonObject) -> JsonObject:
    """A ResourceList with every quantity in canonical form, no finer than a thousandth; what cannot be read is left for validation."""
    return {name: _rounded(value) for name, value in resources.items()}


def _rounded(value: Any) -> Any:
    try:
        amount = Quantity.parse(value)
    except QuantityError:
        return value
    return str(amount) if not amount.amount % _MILLI else str(Quantity.of_milli(amount.milli_value()))


def _canonical(value: Any) -> Any:
    try:
        return str(Quantity.parse(value))
    except QuantityError:
        return value


def _alias_service_account(spec: JsonObject) -> None:
    if not spec.get("serviceAccountName") and spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    sync_service_account(spec)


def _default_container(container: JsonObject) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = default_pull_policy(container.get("image") or "")
    _canonical_resources(container.setdefault("resources", {}))
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        _default_field_ref(source)
        if (resource := source.get("resourceFieldRef")) is not None:
            resource["divisor"] = _canonical(resource.get("divisor") or "0")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            _default_probe(container[probe])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _default_http_get(hook)


def _canonical_resources(resources: JsonObject) -> None:
    for key in ("limits", "requests"):
        if resources.get(key):
            resources[key] = canonical_list(resources[key])


def _default_field_ref(source: JsonObject) -> None:
    if source.get("fieldRef") is not None:
        source["fieldRef"].setdefault("apiVersion", "v1")


def _default_http_get(handler: JsonObject) -> None:
    if (http := handler.get("httpGet")) is not None:
        if not http.get("path"):
            http["path"] = "/"
        http.setdefault("scheme", "HTTP")


def _default_probe(probe: JsonObject) -> None:
    _default_http_get(probe)
    if (grpc := probe.get("grpc")) is not None and grpc.get("service") is None:       # shown as null by its type
        grpc["service"] = ""
    for key, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(key):
            probe[key] = value


def _default_volume(volume: JsonObject) -> None:
    if not any(key != "name" and value is not None for key, value in volume.items()):
        volume["emptyDir"] = {}
    for kind in _VOLUME_MODES:
        if (source := volume.get(kind)) is not None:
            source.setdefault("defaultMode", FILE_MODE)
    _default_downward(volume.get("downwardAPI") or {})
    for source in (volume.get("projected") or {}).get("sources") or ():
        _default_downward(source.get("downwardAPI") or {})
        if (token := source.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", TOKEN_EXPIRATION_S)
    if (empty := volume.get("emptyDir")) and "sizeLimit" in empty:
        empty["sizeLimit"] = _canonical(empty["sizeLimit"])
    default_volume_source(volume)
    if (image := volume.get("image")) is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = default_pull_policy(image.get("reference") or "")
    if (claim := ((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec")) is not None:
        claim.setdefault("volumeMode", "Filesystem")


def default_volume_source(volume: JsonObject) -> None:
    """Sources that Pods and PersistentVolumes share."""
    for kind, values in _SOURCE_DEFAULTS.items():
        if (source := volume.get(kind)) is not None:
            for key, value in values.items():
                if source.get(key) in (None, ""):
                    source[key] = value


def _default_downward(source: JsonObject) -> None:
    for item in source.get("items") or ():
        _default_field_ref(item)
        if (resource := item.get("resourceFieldRef")) is not None:
            resource["divisor"] = _canonical(resource.get("divisor") or "0")
