"""Rules for what the kubelet (or anybody) writes into a Pod's status. Follows ValidatePodStatusUpdate."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    ip_problems,
    qualified_name_problems,
)

_OWN_CONDITIONS: Final = frozenset({"PodScheduled", "Ready", "Initialized"})
_LISTS: Final = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def validate_pod_status(obj: JsonObject, old: JsonObject) -> list[Cause]:
    new, held = obj.get("status") or {}, old.get("status") or {}
    causes: list[Cause] = []
    for index, condition in enumerate(new.get("conditions") or ()):
        kind = condition.get("type") or ""
        if kind not in _OWN_CONDITIONS:
            causes += each(f"metadata.conditions[{index}].Type", kind, qualified_name_problems(kind))
    nominated = new.get("nominatedNodeName")
    if nominated and nominated != held.get("nominatedNodeName"):
        causes += each("status.nominatedNodeName", nominated, dns_subdomain_problems(nominated))
    if (new.get("qosClass") or None) != (held.get("qosClass") or None):
        causes.append(invalid("status.qosClass", new.get("qosClass") or "", FIELD_IMMUTABLE))
    for key in _LISTS:
        if held.get(key):
            causes += _validate_states(new.get(key) or (), held[key], old["spec"], key)
    if new.get("podIPs"):
        causes += _validate_addresses(new["podIPs"], "status.podIPs")
    if addresses := new.get("hostIPs"):
        if (first := addresses[0].get("ip") or "") != (new.get("hostIP") or ""):
            causes.append(invalid("status.hostIPs[0].ip", first, "must be equal to `hostIP`"))
        causes += _validate_addresses(addresses, "status.hostIPs")
    return causes


def _validate_addresses(addresses: Sequence[JsonObject], path: str) -> list[Cause]:
    """Addresses, at most one of each family."""
    values = [one.get("ip") or "" for one in addresses]
    causes = [cause for index, value in enumerate(values) for cause in each(f"{path}[{index}]", value, ip_problems(value))]
    if len(values) < 2 or causes:
        return causes
    families = {ipaddress.ip_address(value).version for value in values}
    if len(families) != len(values):
        causes.append(invalid(path, list(addresses), "may specify no more than one IP for each IP family"))
    return causes + [duplicate(f"{path}[{index}]", addresses[index]) for index, value in enumerate(values) if value in values[:index]]


def _validate_states(new: Sequence[JsonObject], old: Sequence[JsonObject], spec: JsonObject, key: str) -> list[Cause]:
    """A container that ended for good stays ended; where an end of one restarts all, any may begin again."""
    own = {container.get("name"): container for name in ("initContainers", "containers") for container in spec.get(name) or ()}
    ephemeral = key.startswith("ephemeral")
    rules = [rule for container in own.values() for rule in container.get("restartPolicyRules") or ()]
    if not ephemeral and any(rule.get("action") == "RestartAllContainers" for rule in rules):
        return []
    states = {status.get("name"): status.get("state") or {} for status in new}
    causes: list[Cause] = []
    for index, status in enumerate(old):
        ended, name = (status.get("state") or {}).get("terminated"), status.get("name")
        if not ended or name not in states or states[name].get("terminated") is not None:
            continue
        if ephemeral or name not in own or not _restarts_after(own[name], spec, ended.get("exitCode") or 0):
            causes.append(forbidden(f"status.{key}[{index}].state", "may not be transitioned to non-terminated state"))
    return causes


def _restarts_after(container: JsonObject, spec: JsonObject, exit_code: int) -> bool:
    """Follows ContainerShouldRestart: the first rule that speaks of the code, the container's policy, the Pod's."""
    for rule in (container.get("restartPolicyRules") or ()) if container.get("restartPolicy") else ():
        codes = rule.get("exitCodes") or {}
        if (exit_code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
            if rule.get("action") == "Restart":
                return True
            break
    policy = container.get("restartPolicy") or spec.get("restartPolicy")
    return policy == "OnFailure" and exit_code != 0 if policy in ("OnFailure", "Never") else True
