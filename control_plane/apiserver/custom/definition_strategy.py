"""The rules of a write to a CustomResourceDefinition. Follows apiextensions' registry/customresourcedefinition.

What is wrong with one is found by definition_rules.py and what it calls, imported when a definition is written: rare, and much code.
"""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject

_NO_NAMES = {"kind": "", "plural": ""}


class CustomResourceDefinitionStrategy(Strategy):
    allows_update_without_version = False
    counts_generations = True
    qualified_finalizers = False
    looks_at_names_again = False
    validates_slowly = True      # a schema of a few thousand fields or rules takes a second
    status_metadata = (*OPEN_METADATA, "ownerReferences")

    def default(self, obj: JsonObject) -> None:
        from control_plane.apiserver.custom.schema_form import check_schemas

        check_schemas(obj)
        spec = obj.setdefault("spec", {})
        _default_names(spec.setdefault("names", {}))
        conversion = spec.setdefault("conversion", {"strategy": "None"})
        conversion.setdefault("strategy", "None")
        service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", 443)
        if not spec.get("preserveUnknownFields"):
            spec.pop("preserveUnknownFields", None)      # false is written as nothing
        if accepted := (obj.get("status") or {}).get("acceptedNames"):
            _default_names(accepted)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"acceptedNames": dict(_NO_NAMES), "conditions": [], "storedVersions": _with_storage_version(obj, [])}

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        status = obj.get("status") or {}
        obj["status"] = {**status, "storedVersions": _with_storage_version(obj, status.get("storedVersions") or [])}

    def before_deletion(self, obj: JsonObject) -> None:
        from control_plane.apiserver.custom import naming
        from kube.process.clock import SystemClock

        finalizers = obj["metadata"].get("finalizers") or []
        if naming.CLEANUP_FINALIZER not in finalizers:
            obj["metadata"]["finalizers"] = [*finalizers, naming.CLEANUP_FINALIZER]
        pending = naming.condition(
            naming.TERMINATING, "True", "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon")
        naming.set_condition(obj, pending, SystemClock().now())

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        from control_plane.apiserver.custom.definition_rules import definition_causes

        return definition_causes(obj, old)

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        from control_plane.apiserver.custom.definition_rules import status_causes

        return status_causes(obj)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        """What is not wrong and yet not as its author may think."""
        from control_plane.apiserver.custom.definition_rules import definition_warnings

        return definition_warnings(obj, old)


def _default_names(names: dict[str, Any]) -> None:
    kind = names.get("kind") or ""
    if not names.get("singular"):
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = f"{kind}List"
    for key in ("singular",):
        if not names[key]:
            del names[key]


def _with_storage_version(obj: JsonObject, stored: list[str]) -> list[str]:
    """An object may from now on be stored in the storage version, too."""
    for version in (obj.get("spec") or {}).get("versions") or ():
        if version.get("storage"):
            name = version.get("name", "")
            return stored if name in stored else [*stored, name]
    return stored
