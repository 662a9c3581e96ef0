"""What a client should know of a Pod spec that is valid nevertheless. Follows pkg/api/pod/warnings.go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.persistent_volume_claims import claim_warnings
from control_plane.apiserver.strategies.pod_annotations import APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD
from control_plane.apiserver.strategies.pod_windows import containers_with_paths
from control_plane.apiserver.strategies.resource_lists import read
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import dns_label_problems, label_value_problems

DEPRECATED_LABELS: Final = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_ANNOTATIONS: Final = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_VOLUMES: Final = {
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "gitRepo": ("gitRepo", "deprecated in v1.11"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
_REQUIRED_TERM: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED_TERM: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_NO_SELECTOR: Final = "a null labelSelector results in matching no pod"
_PROFILE_FIELD: Final = 'use the "seccompProfile" field instead'
POD_NAMES: Final = "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended"


def name_warnings(obj: JsonObject, words: str = POD_NAMES) -> list[str]:
    problems = dns_label_problems(obj["metadata"].get("name") or "")
    return [f"metadata.name: {words}: [{' '.join(problems)}]"] if problems else []


def template_warnings(obj: JsonObject, old: JsonObject | None, path: str) -> list[str]:
    """Of the Pod template at `path` in a workload; on an update only if anything of the workload changed."""
    if old is not None and old["metadata"].get("generation") == obj["metadata"].get("generation"):
        return []
    template = obj
    for key in path.split("."):
        template = template.get(key) or {}
    return pod_warnings(template.get("spec") or {}, template.get("metadata") or {}, f"{path}.")


def pod_warnings(spec: JsonObject, metadata: JsonObject, prefix: str = "") -> list[str]:
    """`prefix`: where the spec is, with a dot at its end; empty for a Pod."""
    at, annotations = f"{prefix}spec", metadata.get("annotations") or {}
    said = [f"{at}.nodeSelector[{key}]: {DEPRECATED_LABELS[key]}" for key in spec.get("nodeSelector") or () if key in DEPRECATED_LABELS]
    affinity = spec.get("affinity") or {}
    said += _node_affinity(affinity.get("nodeAffinity") or {}, f"{at}.affinity.nodeAffinity")
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        where, key = f"{at}.topologySpreadConstraints[{index}]", constraint.get("topologyKey")
        if key in DEPRECATED_LABELS:
            said.append(f"{where}.topologyKey: {key} is {DEPRECATED_LABELS[key]}")
        if constraint.get("labelSelector") is None:
            said.append(f"{where}.labelSelector: {_NO_SELECTOR}")
    said += [f"{prefix}metadata.annotations[{key}]: {words}" for key, words in _ANNOTATIONS.items() if key in annotations]
    if spec.get("volumes"):
        said += _volumes(spec["volumes"], f"{at}.volumes")
    said += _repeated(spec.get("hostAliases") or (), "ip", f"{at}.hostAliases")
    said += _repeated(spec.get("imagePullSecrets") or (), "name", f"{at}.imagePullSecrets")
    said += [f'{at}.imagePullSecrets[{index}].name: invalid empty name ""'
             for index, secret in enumerate(spec.get("imagePullSecrets") or ()) if not secret.get("name")]
    said += _fractions(spec.get("overhead") or {}, f"{at}.overhead")
    said += _containers(spec, annotations, prefix)
    if (grace := spec.get("terminationGracePeriodSeconds")) is not None and grace < 0:
        said.append(f"{at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1")
    for kind in ("podAffinity", "podAntiAffinity"):
        said += _pod_affinity(affinity.get(kind) or {}, f"{at}.affinity.{kind}")
    return said


def _node_affinity(affinity: JsonObject, path: str) -> list[str]:
    said: list[str] = []
    for index, term in enumerate((affinity.get(_REQUIRED_TERM) or {}).get("nodeSelectorTerms") or ()):
        said += node_term_warnings(term, f"{path}.{_REQUIRED_TERM}.nodeSelectorTerms[{index}]")
    for index, weighted in enumerate(affinity.get(_PREFERRED_TERM) or ()):
        said += node_term_warnings(weighted.get("preference") or {}, f"{path}.{_PREFERRED_TERM}[{index}].preference", values=True)
    return said


def node_term_warnings(term: JsonObject, path: str, *, values: bool = False) -> list[str]:
    """`values`: where wrong ones are let pass."""
    said: list[str] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        at, key = f"{path}.matchExpressions[{index}]", expression.get("key")
        if key in DEPRECATED_LABELS:
            said.append(f"{at}.key: {key} is {DEPRECATED_LABELS[key]}")
        if values:
            said += [f"{at}.values[{number}]: {value} is invalid, {problem}"
                     for number, value in enumerate(expression.get("values") or ()) for problem in label_value_problems(value)]
    return said


def _pod_affinity(affinity: JsonObject, path: str) -> list[str]:
    said = [f"{path}.{_REQUIRED_TERM}[{index}].labelSelector: {_NO_SELECTOR}"
            for index, term in enumerate(affinity.get(_REQUIRED_TERM) or ()) if term.get("labelSelector") is None]
    return said + [f"{path}.{_PREFERRED_TERM}[{index}].podAffinityTerm.labelSelector: {_NO_SELECTOR}"
                   for index, term in enumerate(affinity.get(_PREFERRED_TERM) or ())
                   if (term.get("podAffinityTerm") or {}).get("labelSelector") is None]


def _volumes(volumes: Sequence[JsonObject], path: str) -> list[str]:
    said: list[str] = []
    for index, volume in enumerate(volumes):
        for kind in volume:
            if kind in _VOLUMES and volume[kind] is not None:
                name, words = _VOLUMES[kind]
                said.append(f"{path}[{index}].{name}: {words}")
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if template is not None:
            said += claim_warnings(template.get("spec") or {}, f"{path}[{index}].ephemeral.volumeClaimTemplate.spec")
        said += [f"volume {json.dumps(volume.get('name') or '')} (Projected) has no sources provided"
                 for source in (volume.get("projected") or {}).get("sources") or ()
                 if all(value is None for value in source.values())]
    projections = [(index, source) for index, volume in enumerate(volumes)
                   for source in (volume.get("projected") or {}).get("sources") or ()]
    tokens = {source["serviceAccountToken"].get("path") for _, source in projections if source.get("serviceAccountToken") is not None}
    for index, source in projections if tokens else ():
        for kind, shown in (("configMap", "configMap"), ("secret", "secrets"), ("downwardAPI", "downwardAPI")):
            said += [f"{path}[{index}].projected.sources.{shown}[{number}]: has duplicated path with ServiceAccountToken "
                     f"{json.dumps(item['path'])}"
                     for number, item in enumerate((source.get(kind) or {}).get("items") or ()) if item.get("path") in tokens]
    return said


def _repeated(items: Sequence[JsonObject], key: str, path: str) -> list[str]:
    values = [item.get(key) or "" for item in items]
    return [f"{path}[{index}].{key}: duplicate {key} {json.dumps(value)}" for index, value in enumerate(values) if value in values[:index]]


def _fractions(resources: Mapping[str, Any], path: str) -> list[str]:
    said: list[str] = []
    for name in ("memory", "ephemeral-storage"):
        amount = read(resources.get(name)) if name in resources else None
        if amount is not None and amount.milli_value() % 1000:
            said.append(f'{path}[{name}]: fractional byte value "{amount}" is invalid, must be an integer')
    return said


def _containers(spec: JsonObject, annotations: Mapping[str, str], prefix: str) -> list[str]:
    said: list[str] = []
    security = spec.get("securityContext") or {}
    if SECCOMP_POD in annotations and not security.get("seccompProfile"):
        said.append(f"{prefix}metadata.annotations[{SECCOMP_POD}]: non-functional in v1.27+; {_PROFILE_FIELD}")
    for container, at in containers_with_paths(spec, f"{prefix}spec"):
        if annotations:
            said += _profiles(container, annotations, security, prefix)
        resources = container.get("resources") or {}
        for kind in ("limits", "requests"):
            if resources.get(kind):
                said += _fractions(resources[kind], f"{at}.resources.{kind}")
        if len(container.get("env") or ()) > 1:
            said += _hidden_variables(container["env"], f"{at}.env")
    return said + _ports(spec, f"{prefix}spec")


def _profiles(container: JsonObject, annotations: Mapping[str, str], security: JsonObject, prefix: str) -> list[str]:
    own, name = container.get("securityContext") or {}, container.get("name") or ""
    said: list[str] = []
    if SECCOMP_CONTAINER + name in annotations and not own.get("seccompProfile"):
        said.append(f"{prefix}metadata.annotations[{SECCOMP_CONTAINER}{name}]: non-functional in v1.27+; {_PROFILE_FIELD}")
    if APP_ARMOR + name in annotations and not (own.get("appArmorProfile") or security.get("appArmorProfile")):
        said.append(f'{prefix}metadata.annotations[{APP_ARMOR}{name}]: deprecated since v1.30; use the "appArmorProfile" field instead')
    return said


def _hidden_variables(env: Sequence[JsonObject], path: str) -> list[str]:
    said: list[str] = []
    seen: set[str] = set()
    for index, variable in enumerate(env):
        name, value = variable.get("name") or "", variable.get("value") or ""
        ref = f"$({name})"
        if name in seen and (variable.get("valueFrom") is not None or value == ref or ref not in value):
            said.append(f"{path}[{index}]: hides previous definition of {json.dumps(name)}, which may be dropped when using apply")
        seen.add(name)
    return said


def _ports(spec: JsonObject, path: str) -> list[str]:
    said: list[str] = []
    known: dict[tuple[Any, Any], list[tuple[str, JsonObject]]] = {}
    for container, at in containers_with_paths(spec, path):
        for index, port in enumerate(container.get("ports") or ()):
            here, host_ip, host_port = f"{at}.ports[{index}]", port.get("hostIP") or "", port.get("hostPort") or 0
            if host_ip and not host_port:
                said.append(f"{here}: hostIP set without hostPort: {_go_port(port)}")
            others = known.setdefault((port.get("containerPort"), port.get("protocol")), [])
            for where, other in others:
                other_ip, other_port = other.get("hostIP") or "", other.get("hostPort") or 0
                if host_ip == other_ip and host_port == other_port:
                    said.append(f"{here}: duplicate port definition with {where}")
                elif not host_port or not other_port:
                    said.append(f"{here}: overlapping port definition with {where}")
                elif host_port == other_port and bool(host_ip) != bool(other_ip):
                    said.append(f"{here}: dangerously ambiguous port definition with {where}")
            others.append((here, port))
    return said


def _go_port(port: JsonObject) -> str:
    """As Go prints the struct."""
    return (f"{{Name:{port.get('name') or ''} HostPort:{port.get('hostPort') or 0} ContainerPort:{port.get('containerPort') or 0} "
            f"Protocol:{port.get('protocol') or ''} HostIP:{port.get('hostIP') or ''}}}")
