"""Rules for containers: names, images, ports, and the order in which their parts are looked at. Follows core/validation/validation.go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from control_plane.apiserver.strategies.pod_env import validate_env, validate_env_from
from control_plane.apiserver.strategies.pod_mounts import validate_devices, validate_mounts
from control_plane.apiserver.strategies.pod_probes import PROBES, validate_lifecycle, validate_port, validate_probes
from control_plane.apiserver.strategies.pod_security import validate_container_security
from control_plane.apiserver.strategies.resource_lists import validate_requirements
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns_label_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    port_name_problems,
    port_number_problems,
    required,
    too_many,
    value_not_found,
)

__all__ = ["PROTOCOLS", "PodContext", "validate_containers", "validate_ephemeral", "validate_init_containers", "validate_port"]

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
RESTART_POLICIES: Final = ("Always", "Never", "OnFailure")
_MESSAGE_POLICIES: Final = ("File", "FallbackToLogsOnError")
_RESIZED: Final = ("cpu", "memory")
_RESIZE_POLICIES: Final = ("NotRequired", "RestartContainer")
_EPHEMERAL_FORBIDDEN: Final = ("ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy",
                               "restartPolicy", "restartPolicyRules")
_MAX_RULES: Final = 20
_MAX_EXIT_CODES: Final = 255


@dataclass(slots=True)
class PodContext:
    """What the rules for one container need to know of its Pod."""

    volumes: Mapping[str, Any]
    claims: Sequence[str] = ()
    restart_policy: str = ""
    grace_s: int | None = None
    host_users: bool = True
    system: str = ""
    in_pod: bool = False                                     # a Pod, not a template of one
    names: set[str] = field(default_factory=set)             # of the containers seen so far


def validate_containers(containers: Sequence[JsonObject], path: str, pod: PodContext) -> list[Cause]:
    if not containers:
        return [required(path)]
    causes: list[Cause] = []
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _validate_common(container, at, pod)
        causes += _taken(container, at, pod.names)
        if container.get("lifecycle") is not None:
            causes += validate_lifecycle(container["lifecycle"], f"{at}.lifecycle", pod.grace_s, pod.system)
        causes += validate_probes(container, at, pod.grace_s)
        causes += _validate_restarts(container, at, RESTART_POLICIES)
    return causes + _validate_host_ports(containers, path)


def validate_init_containers(containers: Sequence[JsonObject], path: str, pod: PodContext) -> list[Cause]:
    causes: list[Cause] = []
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _validate_common(container, at, pod)
        causes += _validate_restarts(container, at, RESTART_POLICIES)
        causes += _taken(container, at, pod.names)
        causes += _validate_host_ports([container], path)
        if container.get("restartPolicy") == "Always":
            if container.get("lifecycle") is not None:
                causes += validate_lifecycle(container["lifecycle"], f"{at}.lifecycle", pod.grace_s, pod.system)
            causes += validate_probes(container, at, pod.grace_s)
            continue
        causes += [forbidden(f"{at}.{key}", "may not be set for init containers without restartPolicy=Always")
                   for key in ("lifecycle", *PROBES) if container.get(key) is not None]
    return causes


def validate_ephemeral(containers: Sequence[JsonObject], path: str, pod: PodContext) -> list[Cause]:
    """Containers added for a look at a running Pod: no ports, probes or resources, and no part of the Pod's volumes alone."""
    causes: list[Cause] = []
    lasting = set(pod.names)
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _validate_common(container, at, pod)
        if not pod.in_pod:
            causes += _untrimmed(container, at)
        causes += _taken(container, at, pod.names)
        target = container.get("targetContainerName")
        if target and target not in lasting:
            causes.append(value_not_found(f"{at}.targetContainerName", target))
        causes += [forbidden(f"{at}.{key}", "cannot be set for an Ephemeral Container")
                   for key in _EPHEMERAL_FORBIDDEN if container.get(key)]
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            causes += [forbidden(f"{at}.volumeMounts[{number}].{key}", "cannot be set for an Ephemeral Container")
                       for key in ("subPath", "subPathExpr") if mount.get(key)]
    return causes


def _taken(container: JsonObject, path: str, names: set[str]) -> list[Cause]:
    name = container.get("name") or ""
    if name and name in names:
        return [duplicate(f"{path}.name", name)]
    names.add(name)
    return []


def _validate_common(container: JsonObject, path: str, pod: PodContext) -> list[Cause]:
    name = container.get("name") or ""
    causes = each(f"{path}.name", name, dns_label_problems(name)) if name else [required(f"{path}.name")]
    if not container.get("image"):
        causes.append(required(f"{path}.image"))
    elif pod.in_pod:
        causes += _untrimmed(container, path)
    message = container.get("terminationMessagePolicy") or ""
    if message not in _MESSAGE_POLICIES:
        causes.append(not_supported(f"{path}.terminationMessagePolicy", message, _MESSAGE_POLICIES) if message else
                      required(f"{path}.terminationMessagePolicy"))
    if ports := container.get("ports"):
        causes += validate_ports(ports, f"{path}.ports")
    if env := container.get("env"):
        causes += validate_env(env, f"{path}.env")
    if sources := container.get("envFrom"):
        causes += validate_env_from(sources, f"{path}.envFrom")
    if container.get("volumeMounts"):
        causes += validate_mounts(container, pod.volumes, f"{path}.volumeMounts")
    if devices := container.get("volumeDevices"):
        causes += validate_devices(devices, container, pod.volumes, f"{path}.volumeDevices")
    policy = container.get("imagePullPolicy") or ""
    if policy not in PULL_POLICIES:
        at = f"{path}.imagePullPolicy"
        causes.append(not_supported(at, policy, PULL_POLICIES) if policy else required(at))
    if resources := container.get("resources"):
        causes += validate_requirements(resources, f"{path}.resources", pod.claims)
    if resize := container.get("resizePolicy"):
        causes += _validate_resize(resize, f"{path}.resizePolicy", pod.restart_policy)
    if security := container.get("securityContext"):
        causes += validate_container_security(security, f"{path}.securityContext", host_users=pod.host_users)
    return causes


def _untrimmed(container: JsonObject, path: str) -> list[Cause]:
    image = container.get("image") or ""
    return [] if image.strip() == image else [invalid(f"{path}.image", image, "must not have leading or trailing whitespace")]


def validate_ports(ports: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        if name := port.get("name"):
            if problems := port_name_problems(name):
                causes += each(f"{path}[{index}].name", name, problems)
            elif name in names:
                causes.append(duplicate(f"{path}[{index}].name", name))
            names.add(name)
        number, host_port, protocol = port.get("containerPort"), port.get("hostPort"), port.get("protocol") or ""
        if not number:
            causes.append(required(f"{path}[{index}].containerPort"))
        elif not 1 <= number <= 65535:
            causes += each(f"{path}[{index}].containerPort", number, port_number_problems(number))
        if host_port:
            causes += each(f"{path}[{index}].hostPort", host_port, port_number_problems(host_port))
        if protocol not in PROTOCOLS:
            at = f"{path}[{index}].protocol"
            causes.append(not_supported(at, protocol, PROTOCOLS) if protocol else required(at))
    return causes


def _validate_host_ports(containers: Sequence[JsonObject], path: str) -> list[Cause]:
    """No two of these containers want the same port of the node."""
    causes: list[Cause] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            if not (host_port := port.get("hostPort")):
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP') or ''}/{host_port}"
            if key in taken:
                causes.append(duplicate(f"{path}[{index}].ports[{number}].hostPort", key))
            taken.add(key)
    return causes


def _validate_resize(policies: Sequence[JsonObject], path: str, restart_policy: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            causes.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
        for value, known in ((name, _RESIZED), (restart, _RESIZE_POLICIES)):
            if value not in known:
                causes.append(not_supported(path, value, known) if value else required(path))
        if restart_policy == "Never" and restart != "NotRequired":
            causes.append(invalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    return causes


def _validate_restarts(container: JsonObject, path: str, known: Sequence[str]) -> list[Cause]:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is None:
        return [required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")] if rules else []
    causes = [] if policy in known else [not_supported(f"{path}.restartPolicy", policy, known)]
    at = f"{path}.restartPolicyRules"
    if len(rules) > _MAX_RULES:
        causes.append(too_many(at, len(rules), _MAX_RULES))
    for index, rule in enumerate(rules):
        action = rule.get("action") or ""
        if action not in {"Restart", "RestartAllContainers"}:
            causes.append(not_supported(f"{at}[{index}].action", action, ("Restart", "RestartAllContainers")) if action else
                          required(f"{at}[{index}].action"))
        if (codes := rule.get("exitCodes")) is None:
            causes.append(required(f"{at}[{index}].exitCodes", "must be specified"))
            continue
        operator, where = codes.get("operator") or "", f"{at}[{index}].exitCodes"
        if operator not in {"In", "NotIn"}:
            causes.append(not_supported(f"{where}.operator", operator, ("In", "NotIn")) if operator else required(f"{where}.operator"))
        if len(codes.get("values") or ()) > _MAX_EXIT_CODES:
            causes.append(too_many(f"{where}.values", len(codes["values"]), _MAX_EXIT_CODES))
    return causes
