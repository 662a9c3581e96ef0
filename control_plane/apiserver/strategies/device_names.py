"""What the kinds of resource.k8s.io have in common: names of drivers, requests and attributes, and how tolerations, taints and opaque
parameters may look. Follows apis/resource/validation.
"""

from __future__ import annotations

import json
from typing import Any, Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    c_identifier_problems,
    dns_label_problems,
    dns_subdomain_problems,
    each,
    invalid,
    label_value_problems,
    not_supported,
    qualified_name_problems,
    required,
    too_long,
)

EFFECTS: Final = ("NoExecute", "NoSchedule", "None")
_DRIVER_LENGTH: Final = 63
_ID_LENGTH: Final = 32
_PARAMETERS_LENGTH: Final = 10 * 1024


def validate_driver(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    causes = [too_long(path, _DRIVER_LENGTH)] if len(name) > _DRIVER_LENGTH else []
    return causes + each(path, name, dns_subdomain_problems(name.lower()))


def validate_request_name(name: str, path: str) -> list[Cause]:
    return each(path, name, dns_label_problems(name))


def validate_qualified(name: str, path: str) -> list[Cause]:
    """IDENTIFIER, or DOMAIN/IDENTIFIER; upstream lets more slashes pass."""
    parts = name.split("/")
    if len(parts) == 1:
        return _identifier(name, path)
    if len(parts) > 2:
        return []
    domain, own = parts
    causes = validate_driver(domain, path) if domain else [invalid(path, "", "the domain must not be empty")]
    return causes + (_identifier(own, path) if own else [invalid(path, "", "the name must not be empty")])


def validate_fully_qualified(name: str, path: str) -> list[Cause]:
    causes, words = validate_qualified(name, path), "a fully qualified name must be a domain and a name separated by a slash"
    return causes if "/" in name else [*causes, invalid(path, name, words)]


def _identifier(name: str, path: str) -> list[Cause]:
    causes = [too_long(path, _ID_LENGTH)] if len(name) > _ID_LENGTH else []
    return causes + each(path, name, c_identifier_problems(name))


def validate_toleration(toleration: JsonObject, path: str) -> list[Cause]:
    key, operator, value, effect = (toleration.get(name) or "" for name in ("key", "operator", "value", "effect"))
    causes = each(f"{path}.key", key, qualified_name_problems(key)) if key else []
    if operator == "Exists":
        causes += [invalid(f"{path}.value", value, "must be empty for operator `Exists`")] if value else []
    elif operator == "Equal":
        causes += each(f"{path}.value", value, label_value_problems(value))
    else:
        causes.append(not_supported(f"{path}.operator", operator, ("Equal", "Exists")) if operator else required(f"{path}.operator"))
    return [*causes, not_supported(f"{path}.effect", effect, EFFECTS)] if effect and effect not in EFFECTS else causes


def validate_taint(taint: JsonObject, path: str) -> list[Cause]:
    key, value, effect = (taint.get(name) or "" for name in ("key", "value", "effect"))
    causes = each(f"{path}.key", key, qualified_name_problems(key))
    causes += each(f"{path}.value", value, label_value_problems(value))
    if effect in EFFECTS:
        return causes
    return [*causes, not_supported(f"{path}.effect", effect, EFFECTS) if effect else required(f"{path}.effect")]


def validate_configuration(config: JsonObject, path: str) -> list[Cause]:
    """Of a class or a claim: a driver and what it is to be told."""
    if (opaque := config.get("opaque")) is None:
        return [required(f"{path}.opaque")]
    return validate_driver(opaque.get("driver") or "", f"{path}.opaque.driver") + \
        _validate_parameters(opaque.get("parameters"), f"{path}.opaque.parameters")


def _validate_parameters(parameters: Any, path: str) -> list[Cause]:
    if parameters is None:
        return [required(path)]
    if len(json.dumps(parameters, separators=(",", ":")).encode()) > _PARAMETERS_LENGTH:
        return [too_long(path, _PARAMETERS_LENGTH)]
    return [] if isinstance(parameters, dict) else [invalid(path, "<value omitted>", "must be a valid JSON object")]
