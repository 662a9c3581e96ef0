"""StorageVersionMigrations. Follows apis/storagemigration/validation and its registry."""

from __future__ import annotations

from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import FIELD_IMMUTABLE, dns1035_problems, dns_subdomain_problems, invalid, required


class StorageVersionMigrationStrategy(Strategy):
    allows_update_without_version = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        asked = (obj.get("spec") or {}).get("resource") or {}
        group, resource = asked.get("group") or "", asked.get("resource") or ""
        causes: list[Cause] = []
        if not resource:
            causes.append(required("spec.resource.resource", "resource is required to be set"))
        elif problems := dns1035_problems(resource):
            causes.append(invalid("spec.resource.resource", resource, ",".join(problems)))
        if group and (problems := dns_subdomain_problems(group)):
            causes.append(invalid("spec.resource.group", group, ",".join(problems)))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = ((one.get("spec") or {}).get("resource") or {} for one in (obj, old))
        if all((new.get(key) or "") == (held.get(key) or "") for key in ("group", "resource")):
            return []
        return [invalid("spec", {"Resource": {key: new.get(key) or "" for key in ("group", "resource")}}, FIELD_IMMUTABLE)]

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        status, held = obj.get("status") or {}, old.get("status") or {}
        version, before = status.get("resourceVersion") or "", held.get("resourceVersion") or ""
        path, causes = "status.conditions", []
        if before and before != version:
            causes.append(invalid("status.resourceVersion", version, FIELD_IMMUTABLE))
        conditions = status.get("conditions") or []
        if _is(status, "Succeeded") and _is(status, "Failed"):
            causes.append(invalid(path, conditions, "Both success and failed conditions cannot be true at the same time"))
        causes += [invalid(path, conditions, f"{word} condition cannot be set to false once it is true")
                   for kind, word in (("Succeeded", "Success"), ("Failed", "Failed")) if _is(held, kind) and not _is(status, kind)]
        return causes


def _is(status: JsonObject, kind: str) -> bool:
    return any(one.get("type") == kind and one.get("status") == "True" for one in status.get("conditions") or ())
