"""Rules for a whole Pod spec, in a Pod or in a template."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.metadata import validate_annotations, validate_labels
from control_plane.apiserver.strategies.pod_containers import validate_containers, validate_host_ports, validate_ids
from control_plane.apiserver.strategies.pod_scheduling import validate_affinity, validate_spread, validate_tolerations
from control_plane.apiserver.strategies.pod_sysctls import validate_sysctls
from control_plane.apiserver.strategies.pod_volumes import validate_volumes
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
)

RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


def validate_pod_template(template: JsonObject, path: str) -> list[Cause]:
    metadata = template.get("metadata") or {}
    return [
        *validate_labels(metadata.get("labels") or {}, f"{path}.labels"),
        *validate_annotations(metadata.get("annotations") or {}, f"{path}.annotations"),
        *validate_pod_spec(template.get("spec") or {}, f"{path}.spec"),
        *([forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")]
          if (template.get("spec") or {}).get("ephemeralContainers") else []),
    ]


def validate_pod_spec(spec: JsonObject, path: str) -> list[Cause]:
    volumes = {volume.get("name"): volume for volume in spec.get("volumes") or ()}
    names: set[str] = set()
    causes = validate_volumes(spec.get("volumes") or (), f"{path}.volumes")
    if spec.get("containers"):
        causes += validate_containers(spec["containers"], volumes, f"{path}.containers", names)
    else:
        causes.append(required(f"{path}.containers"))
    causes += validate_containers(spec.get("initContainers") or (), volumes, f"{path}.initContainers", names)
    causes += _validate_init_containers(spec, f"{path}.initContainers")
    causes += validate_host_ports(spec.get("containers") or (), f"{path}.containers", host_network=bool(spec.get("hostNetwork")))
    causes += _validate_policies(spec, path)
    causes += _validate_names(spec, path)
    causes += validate_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    security = spec.get("securityContext") or {}
    causes += validate_ids(security, f"{path}.securityContext")
    causes += validate_sysctls(
        security.get("sysctls") or (), f"{path}.securityContext.sysctls", host_network=bool(spec.get("hostNetwork")),
        host_ipc=bool(spec.get("hostIPC")),
    )
    causes += validate_affinity(spec.get("affinity") or {}, f"{path}.affinity")
    causes += validate_tolerations(spec.get("tolerations") or (), f"{path}.tolerations")
    causes += validate_spread(spec.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= INT32_MAX:
        causes.append(invalid(f"{path}.activeDeadlineSeconds", deadline, range_problem(1, INT32_MAX)))
    return causes


def _validate_init_containers(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, container in enumerate(spec.get("initContainers") or ()):
        if container.get("restartPolicy") == "Always":
            continue
        for key in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(key) is not None:
                causes.append(forbidden(f"{path}[{index}].{key}", "may not be set for init containers without restartPolicy=Always"))
    return causes


def _validate_policies(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, known in (("restartPolicy", RESTART_POLICIES), ("dnsPolicy", DNS_POLICIES)):
        value = spec.get(key) or ""
        if not value:
            causes.append(required(f"{path}.{key}"))
        elif value not in known:
            causes.append(not_supported(f"{path}.{key}", value, known))
    if spec.get("dnsPolicy") == "None":
        servers = (spec.get("dnsConfig") or {}).get("nameservers")
        if not spec.get("dnsConfig"):
            causes.append(required(f"{path}.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None"))
        elif not servers:
            causes.append(required(f"{path}.dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"))
    for index, server in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        causes += each(f"{path}.dnsConfig.nameservers[{index}]", server, ip_problems(server))
    for index, search in enumerate((spec.get("dnsConfig") or {}).get("searches") or ()):
        if search != ".":
            # Underscores are found in the names of services, and a trailing dot is no more than clear.
            problems = dns_subdomain_problems(search.removesuffix(".").replace("_", ""))
            causes += each(f"{path}.dnsConfig.searches[{index}]", search, problems)
    for index, option in enumerate((spec.get("dnsConfig") or {}).get("options") or ()):
        if not option.get("name"):
            causes.append(required(f"{path}.dnsConfig.options[{index}]", "must not be empty"))
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        causes += each(f"{path}.readinessGates[{index}].conditionType", kind, qualified_name_problems(kind))
    gates: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        name = gate.get("name") or ""
        causes += each(f"{path}.schedulingGates[{index}]", name, qualified_name_problems(name))
        if name in gates:
            causes.append(duplicate(f"{path}.schedulingGates[{index}]", name))
        gates.add(name)
    return causes


def _validate_names(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key in ("hostname", "subdomain"):
        if spec.get(key):
            causes += each(f"{path}.{key}", spec[key], dns_label_problems(spec[key]))
    for key in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName", "schedulerName"):
        if spec.get(key):
            rule = qualified_name_problems if key == "schedulerName" else dns_subdomain_problems
            causes += each(f"{path}.{key}", spec[key], rule(spec[key]))
    for index, reference in enumerate(spec.get("imagePullSecrets") or ()):
        if not reference.get("name"):
            causes.append(required(f"{path}.imagePullSecrets[{index}].name"))
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        causes += each(f"{path}.hostAliases[{index}].ip", alias.get("ip") or "", ip_problems(alias.get("ip") or ""))
        for hostname in alias.get("hostnames") or ():
            causes += each(f"{path}.hostAliases[{index}].hostnames", hostname, dns_subdomain_problems(hostname))
    return causes
