"""The rules of a write to an APIService. Follows kube-aggregator's registry/apiservice and apis/apiregistration/validation."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

from control_plane.apiserver.aggregation.availability import LOCAL, set_condition
from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns1035_problems,
    dns_subdomain_problems,
    each,
    invalid,
    not_supported,
    path_segment_problems,
    required,
)

PORT: Final = 443
_LIMITS: Final = {"groupPriorityMinimum": 20000, "versionPriority": 1000}
_STATUSES: Final = ("True", "False", "Unknown")


class APIServiceStrategy(Strategy):
    allows_update_without_version = False
    qualified_finalizers = False

    def default(self, obj: JsonObject) -> None:
        service = (obj.get("spec") or {}).get("service")
        if service is not None and service.get("port") is None:
            service["port"] = PORT

    def initial_status(self, obj: JsonObject) -> JsonObject:
        """What is served here is available from its first moment on."""
        made: JsonObject = {"status": {}}
        if (obj.get("spec") or {}).get("service") is None:
            set_condition(made, LOCAL, datetime.now(UTC))
        status: JsonObject = made["status"]
        return status

    def name_problems(self, name: str) -> list[str]:
        return path_segment_problems(name)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, name = obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or ""
        group, version = spec.get("group") or "", spec.get("version") or ""
        causes, wanted = [], f"{version}.{group}"
        if name and name != wanted and not path_segment_problems(name):
            causes.append(invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: {json.dumps(wanted)}'))
        if group:
            causes += each("spec.group", group, dns_subdomain_problems(group))
        elif version != "v1":
            causes.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
        causes += each("spec.version", version, dns1035_problems(version))
        for key, limit in _LIMITS.items():
            value = spec.get(key) or 0
            if not 0 < value <= limit:
                causes.append(invalid(f"spec.{key}", value, f"must be positive and less than {limit}"))
        return causes + _server_causes(spec)

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        conditions = (obj.get("status") or {}).get("conditions") or ()
        return [
            not_supported(f"status.conditions[{index}].status", condition.get("status") or "", _STATUSES)
            for index, condition in enumerate(conditions) if condition.get("status") not in _STATUSES
        ]


def _size(encoded: str) -> int:
    """In bytes; of what is no base64, which decoding the request refuses already, as it stands."""
    try:
        return len(base64.b64decode(encoded))
    except ValueError:
        return len(encoded)


def _server_causes(spec: dict[str, Any]) -> list[Cause]:
    """Where the server is, and how it is known."""
    bundle, insecure = spec.get("caBundle") or "", bool(spec.get("insecureSkipTLSVerify"))
    service = spec.get("service")
    if service is None:
        causes = []
        if bundle:
            causes.append(invalid("spec.caBundle", f"{_size(bundle)} bytes", "local APIServices may not have a caBundle"))
        if insecure:
            causes.append(invalid("spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify"))
        return causes
    causes = [required(f"spec.service.{key}") for key in ("namespace", "name") if not service.get(key)]
    if not 1 <= (port := service.get("port") or 0) <= 65535:
        causes.append(invalid("spec.service.port", port, "port is not valid: must be between 1 and 65535, inclusive"))
    if insecure and bundle:
        causes.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return causes
