"""The rules of a webhook: which operations on which resources it wants to see. Follows apiserver's predicates/rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from control_plane.apiserver.admission.plugin import Operation
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource, ResourceType

ANY: Final = "*"
NAMESPACED: Final = "Namespaced"
CLUSTER: Final = "Cluster"

# Configurations of admission itself: a webhook that could refuse them could lock itself in.
EXEMPT_KINDS: Final = frozenset({
    "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
})
# Questions about rights, which are not stored (v1.37's ExcludeAdmissionWebhookVirtualResources).
VIRTUAL: Final = frozenset({
    GroupResource("authentication.k8s.io", "selfsubjectreviews"), GroupResource("authentication.k8s.io", "tokenreviews"),
    GroupResource("authorization.k8s.io", "localsubjectaccessreviews"), GroupResource("authorization.k8s.io", "selfsubjectaccessreviews"),
    GroupResource("authorization.k8s.io", "selfsubjectrulesreviews"), GroupResource("authorization.k8s.io", "subjectaccessreviews"),
})


@dataclass(frozen=True, slots=True)
class Rule:
    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]      # (resource, subresource), each perhaps "*"; ("pods", "") is the Pod itself
    scope: str = ANY

    @classmethod
    def of(cls, rule: JsonObject) -> Rule:
        resources = tuple((name, sub) for name, _, sub in (one.partition("/") for one in rule.get("resources") or ()))
        return cls(
            frozenset(rule.get("operations") or ()), frozenset(rule.get("apiGroups") or ()), frozenset(rule.get("apiVersions") or ()),
            resources, rule.get("scope") or ANY,
        )

    def matches(self, operation: Operation, resource: ResourceType, subresource: str) -> bool:
        return (
            self._in_scope(resource) and _listed(self.operations, operation) and _listed(self.groups, resource.group)
            and _listed(self.versions, resource.version)
            and any(name in (ANY, resource.plural) and sub in (ANY, subresource) for name, sub in self.resources)
        )

    def _in_scope(self, resource: ResourceType) -> bool:
        if self.scope == ANY:
            return True
        return self.scope == (NAMESPACED if resource.namespaced else CLUSTER)


def is_exempt(resource: ResourceType) -> bool:
    """No webhook sees it, whatever its rules say."""
    if resource.group == "admissionregistration.k8s.io":
        return resource.kind in EXEMPT_KINDS
    return resource.group_resource in VIRTUAL


def _listed(names: Collection[str], name: str) -> bool:
    return ANY in names or name in names
