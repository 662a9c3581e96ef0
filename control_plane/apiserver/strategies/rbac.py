"""Roles and bindings. Follows apis/rbac/v1/defaults.go and apis/rbac/validation."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.selectors import validate_label_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_subdomain_problems,
    each,
    invalid,
    not_supported,
    path_segment_problems,
    required,
)

_REFERENCE: Final = (("apiGroup", "APIGroup"), ("kind", "Kind"), ("name", "Name"))      # as upstream's message shows it
GROUP: Final = "rbac.authorization.k8s.io"


class RoleStrategy(Strategy):
    looks_at_names_again = False

    def name_problems(self, name: str) -> list[str]:
        return path_segment_problems(name)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        namespaced, causes = self.resource.namespaced, []
        for index, rule in enumerate(obj.get("rules") or ()):
            causes += _validate_rule(rule, f"rules[{index}]", namespaced=namespaced)
        if (aggregation := obj.get("aggregationRule")) is not None:
            path, selectors = "aggregationRule.clusterRoleSelectors", aggregation.get("clusterRoleSelectors") or ()
            if not selectors:
                causes.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
            for index, selector in enumerate(selectors):
                causes += validate_label_selector(selector, f"{path}[{index}]")
        return causes


def _validate_rule(rule: JsonObject, path: str, *, namespaced: bool) -> list[Cause]:
    causes: list[Cause] = []
    if not rule.get("verbs"):
        causes.append(required(f"{path}.verbs"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            causes.append(invalid(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            causes.append(invalid(f"{path}.nonResourceURLs", urls, "rules cannot apply to both regular resources and non-resource URLs"))
        return causes
    if not rule.get("apiGroups"):
        causes.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        causes.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return causes


class BindingStrategy(Strategy):
    """RoleBinding and ClusterRoleBinding."""

    looks_at_names_again = False

    def name_problems(self, name: str) -> list[str]:
        return path_segment_problems(name)

    def default(self, obj: JsonObject) -> None:
        role = obj.setdefault("roleRef", {})
        role["apiGroup"] = role.get("apiGroup") or GROUP
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in {"User", "Group"} and not subject.get("apiGroup"):
                subject["apiGroup"] = GROUP

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        role, causes = obj.get("roleRef") or {}, []
        if role.get("apiGroup") != GROUP:
            causes.append(not_supported("roleRef.apiGroup", role.get("apiGroup") or "", (GROUP,)))
        kinds = ("Role", "ClusterRole") if self.resource.namespaced else ("ClusterRole",)
        if role.get("kind") not in kinds:
            causes.append(not_supported("roleRef.kind", role.get("kind") or "", kinds))
        name = role.get("name") or ""
        causes += each("roleRef.name", name, path_segment_problems(name)) if name else [required("roleRef.name")]
        for index, subject in enumerate(obj.get("subjects") or ()):
            causes += _validate_subject(subject, f"subjects[{index}]", namespaced=self.resource.namespaced)
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        if obj.get("roleRef") == old.get("roleRef"):
            return []
        role = obj.get("roleRef") or {}
        return [invalid("roleRef", {shown: role.get(key) or "" for key, shown in _REFERENCE}, FIELD_IMMUTABLE)]


def _validate_subject(subject: JsonObject, path: str, *, namespaced: bool) -> list[Cause]:
    causes: list[Cause] = []
    kind, name, group = subject.get("kind") or "", subject.get("name") or "", subject.get("apiGroup") or ""
    if not name:
        causes.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            causes += each(f"{path}.name", name, dns_subdomain_problems(name))
        if group:
            causes.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            causes.append(required(f"{path}.namespace"))
    elif kind in {"User", "Group"}:
        if group != GROUP:
            causes.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        causes.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    return causes
