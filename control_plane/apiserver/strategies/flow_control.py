"""FlowSchemas and PriorityLevelConfigurations. Follows apis/flowcontrol/validation and its defaults."""

from __future__ import annotations

import math
from typing import Final

from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    not_negative,
    not_supported,
    required,
)

EXEMPT: Final = "exempt"
MAX_PRECEDENCE: Final = 10_000
_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_SUBJECTS: Final = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_MAX_QUEUES: Final = 10_000_000
_MAX_HASH_BITS: Final = 60


class FlowSchemaStrategy(Strategy):
    looks_at_names_again = False
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec["matchingPrecedence"] = spec.get("matchingPrecedence") or 1000

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, name = obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or ""
        precedence, path = spec.get("matchingPrecedence") or 0, "spec.matchingPrecedence"
        causes: list[Cause] = []
        if precedence <= 0:
            causes.append(invalid(path, precedence, "must be a positive value"))
        if precedence > MAX_PRECEDENCE:
            causes.append(invalid(path, precedence, f"must not be greater than {MAX_PRECEDENCE}"))
        if precedence == 1 and name != EXEMPT:
            causes.append(invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
        method = spec.get("distinguisherMethod")
        if method is not None and method.get("type") not in {"ByNamespace", "ByUser"}:
            causes.append(not_supported("spec.distinguisherMethod.type", {"Type": method.get("type") or ""}, ("ByNamespace", "ByUser")))
        level, at = (spec.get("priorityLevelConfiguration") or {}).get("name") or "", "spec.priorityLevelConfiguration.name"
        causes += each(at, level, dns_subdomain_problems(level)) if level else [required(at, "must reference a priority level")]
        for index, rule in enumerate(spec.get("rules") or ()):
            causes += _validate_rule(rule, f"spec.rules[{index}]")
        return causes + _validate_conditions(obj)

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return _validate_conditions(obj)


def _validate_conditions(obj: JsonObject) -> list[Cause]:
    kinds = [condition.get("type") or "" for condition in (obj.get("status") or {}).get("conditions") or ()]
    causes: list[Cause] = []
    for index, kind in enumerate(kinds):
        path = f"status.conditions[{index}].type"
        causes += [duplicate(path, kind)] if kind in kinds[:index] else []
        causes += [] if kind else [required(path, "must not be empty")]
    return causes


def _validate_rule(rule: JsonObject, path: str) -> list[Cause]:
    subjects, resources, others = (rule.get(key) or () for key in ("subjects", "resourceRules", "nonResourceRules"))
    causes = [] if subjects else [required(f"{path}.subjects", "subjects must contain at least one value")]
    for index, subject in enumerate(subjects):
        causes += _validate_subject(subject, f"{path}.subjects[{index}]")
    if not resources and not others:
        causes.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for index, one in enumerate(resources):
        causes += _validate_resource_rule(one, f"{path}.resourceRules[{index}]")
    for index, one in enumerate(others):
        at = f"{path}.nonResourceRules[{index}]"
        causes += _validate_verbs(one, at) + _validate_urls(one.get("nonResourceURLs") or [], f"{at}.nonResourceURLs")
    return causes


def _validate_subject(subject: JsonObject, path: str) -> list[Cause]:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        return [not_supported(f"{path}.kind", kind, tuple(_SUBJECTS))]
    own = _SUBJECTS[kind]
    content, at = subject.get(own), f"{path}.{own}"
    causes: list[Cause] = []
    if content is None:
        causes.append(required(at, f"{own} is required when subject kind is '{kind}'"))
    else:
        name = content.get("name") or ""
        causes += [] if name else [required(f"{at}.name")]
        if kind == "ServiceAccount":
            causes += each(f"{at}.name", name, dns_subdomain_problems(name)) if name not in {"", "*"} else []
            namespace = content.get("namespace") or ""
            causes += each(f"{at}.namespace", namespace, dns_label_problems(namespace)) if namespace else [
                required(f"{at}.namespace", "must specify namespace for service account")]
    return causes + [forbidden(f"{path}.{key}", f"{key} is forbidden when subject kind is not '{other}'")
                     for other, key in (("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group"))
                     if other != kind and subject.get(key) is not None]


def _validate_verbs(rule: JsonObject, path: str) -> list[Cause]:
    verbs, at = rule.get("verbs") or [], f"{path}.verbs"
    if not verbs:
        return [required(at, "verbs must contain at least one value")]
    if "*" in verbs:
        return [invalid(at, verbs, "if '*' is present, must not specify other verbs")] if len(verbs) > 1 else []
    return [] if set(verbs) <= set(_VERBS) else [not_supported(at, verbs, _VERBS)]


def _validate_resource_rule(rule: JsonObject, path: str) -> list[Cause]:
    causes = _validate_verbs(rule, path)
    for key, one, many in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values = rule.get(key) or []
        if not values:
            causes.append(required(f"{path}.{key}", f"resource rules must supply at least one {one}"))
        elif len(values) > 1 and "*" in values:
            causes.append(invalid(f"{path}.{key}", values, f"if '*' is present, must not specify other {many}"))
    namespaces, at = rule.get("namespaces") or [], f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        causes.append(required(at, "resource rules that are not cluster scoped must supply at least one namespace"))
    elif "*" in namespaces:
        causes += [invalid(at, namespaces, "if '*' is present, must not specify other namespaces")] if len(namespaces) > 1 else []
    else:
        for index, name in enumerate(namespaces):
            problems = [f"each member of this list must be '*' or a DNS-1123 label; {problem}" for problem in dns_label_problems(name)]
            causes += each(f"{at}[{index}]", name, problems)
    return causes


def _validate_urls(urls: list[str], path: str) -> list[Cause]:
    if not urls:
        return [required(path, "nonResourceURLs must contain at least one value")]
    if "*" in urls:
        return [invalid(path, urls, "if '*' is present, must not specify other non-resource URLs")] if len(urls) > 1 else []
    return [invalid(f"{path}[{index}]", url, problem) for index, url in enumerate(urls) if (problem := _url_problem(url))]


def _url_problem(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    stars = url.count("*")
    return "wildcard can only do suffix matching" if stars > 1 or (stars and not url.endswith("/*")) else ""


class PriorityLevelStrategy(Strategy):
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        if (exempt := spec.get("exempt")) is not None:
            for key in ("nominalConcurrencyShares", "lendablePercent"):
                exempt.setdefault(key, 0)
        if (limited := spec.get("limited")) is None:
            return
        if limited.get("nominalConcurrencyShares") is None:
            limited["nominalConcurrencyShares"] = 30
        limited.setdefault("lendablePercent", 0)
        if (queuing := (limited.get("limitResponse") or {}).get("queuing")) is not None:
            for key, value in (("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)):
                queuing[key] = queuing.get(key) or value

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, name = obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or ""
        kind, limited, exempt = spec.get("type") or "", spec.get("limited"), spec.get("exempt")
        causes: list[Cause] = []
        if (name == EXEMPT) != (kind == "Exempt"):
            causes.append(invalid("spec.type", kind, "type must be 'Exempt' if and only if name is 'exempt'"))
        if kind not in {"Exempt", "Limited"}:
            causes.append(not_supported("spec.type", kind, ("Exempt", "Limited")) if kind else required("spec.type"))
            if limited is not None:
                causes.append(forbidden("spec.limited", ""))
            return causes + _validate_conditions(obj)
        if kind == "Exempt" and limited is not None:
            causes.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        if kind == "Limited" and exempt is not None:
            causes.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
        if kind == "Limited" and limited is None:
            causes.append(required("spec.limited", "must not be empty when type is Limited"))
        own, path = (exempt, "spec.exempt") if kind == "Exempt" else (limited, "spec.limited")
        if own is not None:
            causes += _validate_shares(own, path)
        if kind == "Limited" and limited is not None:
            causes += _validate_response(limited.get("limitResponse") or {}, "spec.limited.limitResponse")
        return causes + _validate_conditions(obj)

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return _validate_conditions(obj)


def _validate_shares(level: JsonObject, path: str) -> list[Cause]:
    shares, lent, borrowed = (level.get(key) for key in ("nominalConcurrencyShares", "lendablePercent", "borrowingLimitPercent"))
    causes: list[Cause] = []
    if shares is not None and shares < 0:
        causes.append(invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    if lent is not None and not 0 <= lent <= 100:
        causes.append(invalid(f"{path}.lendablePercent", lent, "must be between 0 and 100, inclusive"))
    return causes + not_negative(f"{path}.borrowingLimitPercent", borrowed)


def _validate_response(response: JsonObject, path: str) -> list[Cause]:
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        return [] if queuing is None else [forbidden(f"{path}.queuing", "must be nil if limited.limitResponse.type is not Limited")]
    if kind != "Queue":
        wrong = not_supported(f"{path}.type", kind, ("Queue", "Reject")) if kind else required(f"{path}.type")
        return [wrong] if queuing is None else [wrong, forbidden(f"{path}.queuing", "")]
    at = f"{path}.queuing"
    if queuing is None:
        return [required(at, "must not be empty if limited.limitResponse.type is Limited")]
    length, queues, hand = (queuing.get(key) or 0 for key in ("queueLengthLimit", "queues", "handSize"))
    causes = [invalid(f"{at}.queueLengthLimit", length, "must be positive")] if length <= 0 else []
    if queues <= 0:
        causes.append(invalid(f"{at}.queues", queues, "must be positive"))
    elif queues > _MAX_QUEUES:
        causes.append(invalid(f"{at}.queues", queues, f"must not be greater than {_MAX_QUEUES}"))
    if hand <= 0:
        causes.append(invalid(f"{at}.handSize", hand, "must be positive"))
    elif hand > queues:
        causes.append(invalid(f"{at}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif _entropy_bits(queues, hand) > _MAX_HASH_BITS:
        causes.append(invalid(f"{at}.handSize", hand, f"required entropy bits of deckSize {queues} and handSize {hand} should not be "
                                                      f"greater than {_MAX_HASH_BITS}"))
    return causes


def _entropy_bits(queues: int, hand: int) -> int:
    """Bits of hash that dealing a hand takes, as upstream's shufflesharding counts them."""
    return math.ceil(math.log2(queues) * hand)
