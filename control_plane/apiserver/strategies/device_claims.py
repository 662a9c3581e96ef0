"""DeviceClasses, ResourceClaims and their templates. Follows apis/resource/v1/defaults.go, apis/resource/validation and registry/resource.

CEL expressions of selectors are checked for their length, not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.device_names import (
    validate_configuration,
    validate_fully_qualified,
    validate_request_name,
    validate_toleration,
)
from control_plane.apiserver.strategies.metadata import validate_annotations, validate_labels
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_subdomain_problems,
    domain_path_problems,
    duplicate,
    each,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)

_MAX_ENTRIES: Final = 32
_MAX_ALTERNATIVES: Final = 8
_EXPRESSION_LENGTH: Final = 10 * 1024
_ONE_OF_TWO: Final = "exactly one of `exactly` or `firstAvailable` is required"
_NAMES_A_REQUEST: Final = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

Check = Callable[[Any, str], list[Cause]]


class DeviceClassStrategy(Strategy):
    counts_generations = True
    looks_at_names_again = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _list(spec.get("selectors"), "spec.selectors", _validate_selector)
        causes += _list(spec.get("config"), "spec.config", validate_configuration)
        if (extended := spec.get("extendedResourceName")) is not None:
            causes += each("spec.extendedResourceName", extended, domain_path_problems(extended)[:1])
        return causes


class ResourceClaimStrategy(Strategy):
    def default(self, obj: JsonObject) -> None:
        default_claim(obj.get("spec") or {})

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        return [] if old is not None else validate_claim(obj.get("spec") or {}, "spec")

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [] if obj.get("spec") == old.get("spec") else [invalid("spec", obj.get("spec"), FIELD_IMMUTABLE)]


class ResourceClaimTemplateStrategy(ResourceClaimStrategy):
    def default(self, obj: JsonObject) -> None:
        default_claim((obj.get("spec") or {}).get("spec") or {})

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        metadata = spec.get("metadata") or {}
        causes = validate_annotations(metadata.get("annotations") or {}, "spec.metadata.annotations")
        causes += validate_labels(metadata.get("labels") or {}, "spec.metadata.labels")
        return causes if old is not None else causes + validate_claim(spec.get("spec") or {}, "spec.spec")


def default_claim(spec: JsonObject) -> None:
    """One device, exactly, unless the request says otherwise; a toleration compares for equality."""
    for request in (spec.get("devices") or {}).get("requests") or ():
        for one in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if one is None:
                continue
            one["allocationMode"] = one.get("allocationMode") or "ExactCount"
            if one["allocationMode"] == "ExactCount" and not one.get("count"):
                one["count"] = 1
            for toleration in one.get("tolerations") or ():
                toleration["operator"] = toleration.get("operator") or "Equal"


def validate_claim(spec: JsonObject, path: str) -> list[Cause]:
    devices, path = spec.get("devices") or {}, f"{path}.devices"
    requests = devices.get("requests") or ()
    known: set[str] = set()
    for request in requests:
        known.add(request.get("name") or "")
        known |= {f"{request.get('name') or ''}/{one.get('name') or ''}" for one in request.get("firstAvailable") or ()}

    def constraint(one: JsonObject, at: str) -> list[Cause]:
        return _validate_constraint(one, at, known)

    def configuration(one: JsonObject, at: str) -> list[Cause]:
        return _validate_references(one.get("requests"), f"{at}.requests", known) + validate_configuration(one, at)

    causes = _list(requests, f"{path}.requests", _validate_request, key=lambda request: request.get("name"))
    causes += _list(devices.get("constraints"), f"{path}.constraints", constraint)
    return causes + _list(devices.get("config"), f"{path}.config", configuration)


def _list(
    values: Sequence[Any] | None, path: str, check: Check, *, most: int = _MAX_ENTRIES, key: Callable[[Any], Any] | None = None,
) -> list[Cause]:
    """Each for itself, and with `key` none twice; of a list that is too long nothing else is said."""
    values = values or ()
    if len(values) > most:
        return [too_many(path, len(values), most)]
    causes = [cause for index, value in enumerate(values) for cause in check(value, f"{path}[{index}]")]
    keys = [key(value) for value in values] if key else []
    return causes + [duplicate(f"{path}[{index}]", values[index]) for index, one in enumerate(keys) if one in keys[:index]]


def _validate_request(request: JsonObject, path: str) -> list[Cause]:
    causes = validate_request_name(request.get("name") or "", f"{path}.name")
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable") or ()
    if exactly is None and not alternatives:
        return [*causes, required(path, _ONE_OF_TWO)]
    if exactly is not None and alternatives:
        return [*causes, invalid(path, None, f"{_ONE_OF_TWO}, but multiple fields are set")]
    if exactly is not None:
        return causes + _validate_exactly(exactly, f"{path}.exactly")

    def alternative(one: JsonObject, at: str) -> list[Cause]:
        return validate_request_name(one.get("name") or "", f"{at}.name") + _validate_exactly(one, at)

    return causes + _list(alternatives, f"{path}.firstAvailable", alternative, most=_MAX_ALTERNATIVES, key=lambda one: one.get("name"))


def _validate_exactly(request: JsonObject, path: str) -> list[Cause]:
    name, mode, count = request.get("deviceClassName") or "", request.get("allocationMode") or "", request.get("count") or 0
    at = f"{path}.deviceClassName"
    causes = each(at, name, dns_subdomain_problems(name)) if name else [required(at)]
    causes += _list(request.get("selectors"), f"{path}.selectors", _validate_selector)
    if mode == "All" and count:
        causes.append(invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount" and count <= 0:
        causes.append(invalid(f"{path}.count", count, "must be greater than zero"))
    elif mode not in {"All", "ExactCount"}:
        causes.append(not_supported(f"{path}.allocationMode", mode, ("All", "ExactCount")))
    for index, toleration in enumerate(request.get("tolerations") or ()):
        causes += validate_toleration(toleration, f"{path}.tolerations[{index}]")
    return causes


def _validate_selector(selector: JsonObject, path: str) -> list[Cause]:
    if (cel := selector.get("cel")) is None:
        return [required(f"{path}.cel")]
    too_big = len((cel.get("expression") or "").encode()) > _EXPRESSION_LENGTH
    return [too_long(f"{path}.cel.expression", _EXPRESSION_LENGTH)] if too_big else []


def _validate_constraint(constraint: JsonObject, path: str, known: set[str]) -> list[Cause]:
    causes = _validate_references(constraint.get("requests"), f"{path}.requests", known)
    for key in ("matchAttribute", "distinctAttribute"):
        if (name := constraint.get(key)) is not None:
            return causes + validate_fully_qualified(name, f"{path}.{key}")
    return [*causes, required(path, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set')]


def _validate_references(names: Sequence[str] | None, path: str, known: set[str]) -> list[Cause]:
    def reference(name: str, at: str) -> list[Cause]:
        parts = name.split("/")
        if len(parts) > 2:
            return [invalid(at, name, _NAMES_A_REQUEST)]
        causes = [cause for part in parts for cause in validate_request_name(part, at)]
        return causes if name in known else [*causes, invalid(at, name, _NAMES_A_REQUEST)]

    return _list(names, path, reference, key=lambda name: name)
