"""Certificates, admission, flow control, API services, devices, storage migration."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, number
from control_plane.apiserver.tables.text import NONE, UNSET, age, condition, human_duration, name_of, selector_text, since
from kube.apimachinery.meta import JsonObject


def _certificate_request(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    kinds = {item.get("type") for item in status.get("conditions") or ()}
    words = ["Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"]
    words += ["Failed"] if "Failed" in kinds else []
    words += ["Issued"] if status.get("certificate") else []
    seconds = spec.get("expirationSeconds")
    return [name_of(obj), age(obj, now), spec.get("signerName") or NONE, spec.get("username") or "",
            NONE if seconds is None else human_duration(seconds), ",".join(words)]


def _trust_bundle(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), (obj.get("spec") or {}).get("signerName") or NONE]


def _pod_certificate_request(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    state = next((kind for kind in ("Failed", "Denied", "Issued") if condition(obj, kind)), "Pending")
    return [name_of(obj), *(spec.get(key) or "" for key in ("podName", "serviceAccountName", "nodeName", "signerName")), state]


def _webhooks(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("webhooks") or ()), age(obj, now)]


def _policy(key: str) -> Table:
    def cells(obj: JsonObject, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        kind = spec.get("paramKind")
        text = UNSET if kind is None else f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}"
        return [name_of(obj), len(spec.get(key) or ()), text, age(obj, now)]

    word = key.capitalize()
    return Table((
        NAME, number(word, f"{word} indicates the number of rules defined in this configuration"),
        Column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy"), AGE,
    ), cells)


def _policy_binding(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    reference, text = spec.get("paramRef") or {}, UNSET
    if reference.get("name"):
        text = f"{reference.get('namespace') or '*'}/{reference['name']}"
    elif reference.get("selector") is not None:
        text = selector_text(reference["selector"])
    return [name_of(obj), spec.get("policyName") or "", text, age(obj, now)]


def _flow_schema(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name_of(obj), (spec.get("priorityLevelConfiguration") or {}).get("name") or "", spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or NONE, age(obj, now), (condition(obj, "Dangling") or {}).get("status") or "?",
    ]


def _priority_level(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    limited = spec.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    return [name_of(obj), spec.get("type") or "", limited.get("nominalConcurrencyShares", NONE),
            *(queuing.get(key, NONE) for key in ("queues", "handSize", "queueLengthLimit")), age(obj, now)]


def _api_service(obj: JsonObject, now: datetime) -> list[Any]:
    service, available = (obj.get("spec") or {}).get("service"), condition(obj, "Available") or {}
    text = "Local" if service is None else f"{service.get('namespace', '')}/{service.get('name', '')}"
    word = available.get("status") or "Unknown"
    return [name_of(obj), text, word if word == "True" or not available.get("reason") else f"{word} ({available['reason']})", age(obj, now)]


def _claim(obj: JsonObject, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    words = ["deleted"] if (obj.get("metadata") or {}).get("deletionTimestamp") else []
    words += ["allocated"] if status.get("allocation") is not None else []
    words += ["reserved"] if status.get("reservedFor") else []
    if status.get("allocation") is None and not words:
        words.append("pending")
    return [name_of(obj), ",".join(words), age(obj, now)]


def _slice(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [name_of(obj), spec.get("nodeName") or "", spec.get("driver") or "", (spec.get("pool") or {}).get("name") or "", age(obj, now)]


def _taint_rule(obj: JsonObject, now: datetime) -> list[Any]:
    taint = (obj.get("spec") or {}).get("taint") or {}
    return [name_of(obj), *(taint.get(key) or "" for key in ("key", "value", "effect")), since(taint.get("timeAdded"), now), age(obj, now)]


def _migration(obj: JsonObject, now: datetime) -> list[Any]:
    resource = (obj.get("spec") or {}).get("resource") or {}
    return [name_of(obj), ".".join(resource[key] for key in ("resource", "version", "group") if resource.get(key))]


CERTIFICATE_REQUEST: Final = Table((
    NAME, AGE, Column("SignerName", "@spec.signerName"), Column("Requestor", "@spec.request"),
    Column("RequestedDuration", "@spec.expirationSeconds"), Column("Condition", "@status.conditions"),
), _certificate_request)
TRUST_BUNDLE: Final = Table((NAME, Column("SignerName", "@spec.signerName")), _trust_bundle)
POD_CERTIFICATE_REQUEST: Final = Table((
    NAME, Column("PodName", "@spec.podName"), Column("ServiceAccountName", "@spec.serviceAccountName"),
    Column("NodeName", "@spec.nodeName"), Column("SignerName", "@spec.signerName"),
    Column("State", "Is the request Pending, Issued, Denied, or Failed?"),
), _pod_certificate_request)
WEBHOOKS: Final = Table((
    NAME, number("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration"), AGE,
), _webhooks)
VALIDATING_POLICY: Final = _policy("validations")
MUTATING_POLICY: Final = _policy("mutations")
POLICY_BINDING: Final = Table((
    NAME, Column("PolicyName", "PolicyName indicates the policy definition which the policy binding binded to"),
    Column("ParamRef", "ParamRef indicates the param resource which sets the configration param"), AGE,
), _policy_binding)
FLOW_SCHEMA: Final = Table((
    NAME, Column("PriorityLevel", "@spec.priorityLevelConfiguration.name"), Column("MatchingPrecedence", "@spec.matchingPrecedence"),
    Column("DistinguisherMethod", "@spec.distinguisherMethod"), AGE,
    Column("MissingPL", "references a broken or non-existent PriorityLevelConfiguration"),
), _flow_schema)
PRIORITY_LEVEL: Final = Table((
    NAME, Column("Type", "@spec.type"), Column("NominalConcurrencyShares", "@spec.limited.nominalConcurrencyShares"),
    Column("Queues", "@spec.limited.limitResponse.queuing.queues"), Column("HandSize", "@spec.limited.limitResponse.queuing.handSize"),
    Column("QueueLengthLimit", "@spec.limited.limitResponse.queuing.queueLengthLimit"), AGE,
), _priority_level)
API_SERVICE: Final = Table((
    NAME, Column("Service", "The reference to the service that hosts this API endpoint."),
    Column("Available", "Whether this service is available."), AGE,
), _api_service)
RESOURCE_CLAIM: Final = Table((
    NAME, Column("State", "A summary of the current state (allocated, pending, reserved, etc.)."), AGE,
), _claim)
RESOURCE_SLICE: Final = Table((
    NAME, Column("Node", "@spec.nodeName"), Column("Driver", "@spec.driver"), Column("Pool", "@spec.pool.name"), AGE,
), _slice)
DEVICE_TAINT_RULE: Final = Table((
    NAME, Column("Key", "@spec.taint.key"), Column("Value", "@spec.taint.value"), Column("Effect", "@spec.taint.effect"),
    Column("TimeAdded", "@spec.taint.timeAdded"), AGE,
), _taint_rule)
STORAGE_MIGRATION: Final = Table((NAME, Column("Resource", "Fully qualified resource to migrate")), _migration)
