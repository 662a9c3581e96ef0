"""Rules for a whole Pod spec, in a Pod or in a template, in the order of upstream's ValidatePodSpec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.metadata import validate_annotations, validate_labels
from control_plane.apiserver.strategies.pod_annotations import validate_agreement, validate_pod_annotations
from control_plane.apiserver.strategies.pod_containers import PodContext, validate_containers, validate_ephemeral, validate_init_containers
from control_plane.apiserver.strategies.pod_env import validate_file_volumes
from control_plane.apiserver.strategies.pod_scheduling import validate_affinity, validate_spread, validate_tolerations
from control_plane.apiserver.strategies.pod_security import validate_host_users, validate_pod_security
from control_plane.apiserver.strategies.pod_totals import validate_pod_resources
from control_plane.apiserver.strategies.pod_volumes import validate_volumes
from control_plane.apiserver.strategies.pod_windows import validate_host_processes, validate_os
from control_plane.apiserver.strategies.resource_lists import validate_requirements
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    INT32_MAX,
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    ip_problems,
    not_supported,
    qualified_name_problems,
    range_problem,
    required,
    underscored_subdomain_problems,
)

RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES: Final = ("PreemptLowerPriority", "Never")
_MAX_NAMESERVERS: Final = 3
_MAX_SEARCHES: Final = 32
_MAX_SEARCH_LENGTH: Final = 2048
_MAX_HOSTNAME: Final = 64


def validate_pod_template(template: JsonObject, path: str) -> list[Cause]:
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    causes = validate_labels(metadata.get("labels") or {}, f"{path}.labels")
    if annotations:
        causes += validate_annotations(annotations, f"{path}.annotations")
        causes += validate_pod_annotations(annotations, spec, f"{path}.annotations")
    causes += validate_pod_spec(spec, f"{path}.spec")
    if annotations:
        causes += validate_agreement(annotations, spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        causes.append(forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template"))
    return causes


def validate_pod_spec(spec: JsonObject, path: str, pod_name: str = "", *, in_pod: bool = False) -> list[Cause]:
    """`in_pod`: of a Pod, whose name is `pod_name`, and not of a template."""
    grace_s = spec.get("terminationGracePeriodSeconds")
    causes = [] if grace_s is not None else [required(f"{path}.terminationGracePeriodSeconds")]
    volumes, wrong = validate_volumes(spec.get("volumes") or (), f"{path}.volumes", pod_name, in_pod=in_pod)
    causes += wrong
    claims = [claim.get("name") or "" for claim in spec.get("resourceClaims") or ()]
    if claims:
        causes += _validate_resource_claims(spec["resourceClaims"], f"{path}.resourceClaims")
    context = PodContext(
        volumes, claims, spec.get("restartPolicy") or "", grace_s, spec.get("hostUsers") is not False,
        (spec.get("os") or {}).get("name") or "", in_pod,
    )
    causes += validate_containers(spec.get("containers") or (), f"{path}.containers", context)
    if init := spec.get("initContainers"):
        causes += validate_init_containers(init, f"{path}.initContainers", context)
    if ephemeral := spec.get("ephemeralContainers"):
        causes += validate_ephemeral(ephemeral, f"{path}.ephemeralContainers", context)
    if spec.get("resources") is not None:
        causes += validate_pod_resources(spec, f"{path}.resources")
    if spec.get("hostNetwork"):
        causes += _validate_node_ports(spec, path, in_pod=in_pod)
    return causes + _validate_rest(spec, path)


def _validate_rest(spec: JsonObject, path: str) -> list[Cause]:
    causes = _validate_choices(spec, path)
    if spec.get("nodeSelector"):
        causes += validate_labels(spec["nodeSelector"], f"{path}.nodeSelector")
    causes += validate_pod_security(spec, f"{path}.securityContext")
    if spec.get("affinity"):
        causes += validate_affinity(spec["affinity"], f"{path}.affinity")
    if spec.get("dnsConfig") is not None or spec.get("dnsPolicy") == "None":
        causes += _validate_dns(spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        causes += each(f"{path}.readinessGates[{index}].conditionType", kind, qualified_name_problems(kind))
    if spec.get("schedulingGates"):
        causes += _validate_scheduling_gates(spec["schedulingGates"], f"{path}.schedulingGates")
    if spec.get("topologySpreadConstraints"):
        causes += validate_spread(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
    causes += validate_host_processes(spec, path)
    causes += validate_host_users(spec, path)
    causes += _validate_names(spec, path)
    if (policy := spec.get("preemptionPolicy")) is not None and policy not in PREEMPTION_POLICIES:
        at = f"{path}.preemptionPolicy"
        causes.append(not_supported(at, policy, PREEMPTION_POLICIES) if policy else required(at))
    if spec.get("overhead"):
        causes += validate_requirements({"limits": spec["overhead"]}, f"{path}.overhead")
    return causes + validate_os(spec, path) + validate_file_volumes(spec, path)


def _validate_choices(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, known in (("restartPolicy", RESTART_POLICIES), ("dnsPolicy", DNS_POLICIES)):
        value = spec.get(key) or ""
        if value not in known:
            causes.append(not_supported(f"{path}.{key}", value, known) if value else required(f"{path}.{key}"))
    return causes


def _validate_node_ports(spec: JsonObject, path: str, *, in_pod: bool) -> list[Cause]:
    """In the node's network a container's port and the node's are one; templates may leave the latter out."""
    causes: list[Cause] = []
    for index, container in enumerate(spec.get("containers") or ()):
        for number, port in enumerate(container.get("ports") or ()):
            host_port = port.get("hostPort") or 0
            if (in_pod or host_port) and host_port != (port.get("containerPort") or 0):
                causes.append(invalid(f"{path}.containers[{index}].ports[{number}].hostPort", host_port,
                                      "must match `containerPort` when `hostNetwork` is true"))
    return causes


def _validate_resource_claims(claims: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, claim in enumerate(claims):
        at, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            causes.append(required(f"{at}.name"))
        elif name in names:
            causes.append(duplicate(f"{at}.name", name))
        else:
            causes += each(f"{at}.name", name, dns_label_problems(name))
        names.add(name)
        given = [key for key in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(key) is not None]
        if len(given) > 1:
            causes.append(invalid(at, claim, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"))
        elif not given:
            causes.append(invalid(at, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
        for key in given:
            causes += each(f"{at}.{key}", claim[key], dns_subdomain_problems(claim[key]))
    return causes


def _validate_dns(spec: JsonObject, path: str) -> list[Cause]:
    config: dict[str, Any] | None = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            return [required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")]
    config = config or {}
    servers, searches = config.get("nameservers") or (), config.get("searches") or ()
    causes: list[Cause] = []
    if len(servers) > _MAX_NAMESERVERS:
        causes.append(invalid(f"{path}.nameservers", servers, f"must not have more than {_MAX_NAMESERVERS} nameservers"))
    for index, server in enumerate(servers):
        causes += each(f"{path}.nameservers[{index}]", server, ip_problems(server))
    if len(searches) > _MAX_SEARCHES:
        causes.append(invalid(f"{path}.searches", searches, f"must not have more than {_MAX_SEARCHES} search paths"))
    if len(" ".join(searches)) > _MAX_SEARCH_LENGTH:
        causes.append(invalid(f"{path}.searches", searches,
                              f"must not have more than {_MAX_SEARCH_LENGTH} characters (including spaces) in the search list"))
    for index, search in enumerate(searches):
        if search != ".":
            search = search.removesuffix(".")
            causes += each(f"{path}.searches[{index}]", search, underscored_subdomain_problems(search))
    causes += [required(f"{path}.options[{index}]", "must not be empty")
               for index, option in enumerate(config.get("options") or ()) if not option.get("name")]
    return causes


def _validate_scheduling_gates(gates: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        causes += each(f"{path}[{index}]", name, qualified_name_problems(name))
        if name in seen:
            causes.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return causes


def _validate_names(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key in ("serviceAccountName", "nodeName"):
        if name := spec.get(key):
            causes += each(f"{path}.{key}", name, dns_subdomain_problems(name))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= INT32_MAX:
        causes.append(invalid(f"{path}.activeDeadlineSeconds", deadline, range_problem(1, INT32_MAX)))
    for key in ("hostname", "subdomain"):
        if name := spec.get(key):
            causes += each(f"{path}.{key}", name, dns_label_problems(name))
    if spec.get("hostnameOverride") is not None:
        causes += _validate_hostname(spec, f"{path}.hostnameOverride")
    if spec.get("tolerations"):
        causes += validate_tolerations(spec["tolerations"], f"{path}.tolerations")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        address = alias.get("ip") or ""
        causes += each(f"{path}.hostAliases[{index}].ip", address, ip_problems(address))
        for number, name in enumerate(alias.get("hostnames") or ()):
            causes += each(f"{path}.hostAliases[{index}].hostnames[{number}]", name, dns_subdomain_problems(name))
    if name := spec.get("priorityClassName"):
        causes += each(f"{path}.priorityClassName", name, dns_subdomain_problems(name))
    if (name := spec.get("runtimeClassName")) is not None:
        causes += each(f"{path}.runtimeClassName", name, dns_subdomain_problems(name))
    return causes


def _validate_hostname(spec: JsonObject, path: str) -> list[Cause]:
    name = spec["hostnameOverride"]
    causes = [forbidden(path, f"may not be specified when {key} is true") for key in ("setHostnameAsFQDN", "hostNetwork") if spec.get(key)]
    if len(name) > _MAX_HOSTNAME:
        causes.append(invalid(path, name, f"must be no more than {_MAX_HOSTNAME} characters"))
    return causes + each(path, name, dns_subdomain_problems(name))
