"""CustomResourceDefinitions, APIServices and flow control."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import FIELD_IMMUTABLE, dns1035_problems, each, invalid, not_supported, required

SCOPES: Final = ("Cluster", "Namespaced")


class CustomResourceDefinitionStrategy(Strategy):
    allows_update_without_version = False
    counts_generations = True

    def initial_status(self, obj: JsonObject) -> JsonObject:
        versions = [version.get("name") for version in (obj.get("spec") or {}).get("versions") or () if version.get("storage")]
        return {"acceptedNames": {"kind": "", "plural": ""}, "conditions": [], "storedVersions": versions}

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        names = spec.setdefault("names", {})
        names["singular"] = names.get("singular") or (names.get("kind") or "").lower()
        names["listKind"] = names.get("listKind") or (f"{names['kind']}List" if names.get("kind") else "")
        spec.setdefault("conversion", {"strategy": "None"})

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        names, group = spec.get("names") or {}, spec.get("group") or ""
        causes = [] if group else [required("spec.group")]
        for key in ("plural", "singular", "kind", "listKind"):
            value = names.get(key) or ""
            causes += each(f"spec.names.{key}", value, dns1035_problems(value.lower())) if value else [required(f"spec.names.{key}")]
        wanted, name = f"{names.get('plural', '')}.{group}", (obj.get("metadata") or {}).get("name") or ""
        if name != wanted:
            causes.append(invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"))
        if spec.get("scope") not in SCOPES:
            causes.append(not_supported("spec.scope", spec["scope"], SCOPES) if spec.get("scope") else required("spec.scope"))
        versions = spec.get("versions") or ()
        if sum(bool(version.get("storage")) for version in versions) != 1:
            causes.append(invalid("spec.versions", list(versions), "must have exactly one version marked as storage version"))
        for index, version in enumerate(versions):
            if not (version.get("schema") or {}).get("openAPIV3Schema"):
                causes.append(required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj["spec"], old["spec"]
        causes = [invalid(f"spec.{key}", new.get(key), FIELD_IMMUTABLE) for key in ("group", "scope") if new.get(key) != held.get(key)]
        plural, kind = ((spec.get("names") or {}) for spec in (new, held))
        return causes + [invalid(f"spec.names.{key}", plural.get(key), FIELD_IMMUTABLE) for key in ("plural", "kind")
                         if plural.get(key) != kind.get(key)]


class APIServiceStrategy(Strategy):
    allows_update_without_version = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, name = obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or ""
        wanted = f"{spec.get('version', '')}.{spec.get('group', '')}"
        causes = [] if name == wanted else [invalid("metadata.name", name, f"must be `spec.version+\".\"+spec.group`: {json_name(wanted)}")]
        for key in ("groupPriorityMinimum", "versionPriority"):
            value = spec.get(key) or 0
            limit = 20000 if key == "groupPriorityMinimum" else 1000
            if not 0 < value <= limit:
                causes.append(invalid(f"spec.{key}", value, f"must be positive and less than {limit}"))
        return causes


def json_name(text: str) -> str:
    return f'"{text}"'


class GenerationStrategy(Strategy):
    """Kinds that have no rules of their own yet but count generations upstream."""

    counts_generations = True
