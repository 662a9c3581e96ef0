"""What a terminating namespace's status says; pure. Reasons and words are upstream's (status_condition_utils.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kube.api.core_v1 import NamespaceCondition
from kube.process.clock import to_rfc3339


@dataclass(slots=True)
class Remaining:
    """What is still there: by resource ("pods."), and by finalizer. `unknown`: group versions that cannot be looked into, and why."""

    resources: dict[str, int] = field(default_factory=dict)
    finalizers: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        return not self.resources and not self.errors and not self.unknown


def conditions(
    held: tuple[NamespaceCondition, ...], remaining: Remaining, now: datetime
) -> tuple[NamespaceCondition, ...]:
    wanted = {
        "NamespaceDeletionDiscoveryFailure": (
            ("True", "DiscoveryFailed",
             f"Discovery failed for some groups, {len(remaining.unknown)} failing: unable to retrieve the complete list of server APIs: "
             + ", ".join(f"{name}: {why}" for name, why in sorted(remaining.unknown.items())))
            if remaining.unknown else ("False", "ResourcesDiscovered", "All resources successfully discovered")),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
        "NamespaceDeletionContentFailure": (
            ("True", "ContentDeletionFailed",
             f"Failed to delete all resource types, {len(remaining.errors)} remaining: {', '.join(sorted(remaining.errors))}")
            if remaining.errors
            else ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization")),
        "NamespaceContentRemaining": (
            ("True", "SomeResourcesRemain", f"Some resources are remaining: {_instances(remaining.resources, 'has')}")
            if remaining.resources else ("False", "ContentRemoved", "All content successfully removed")),
        "NamespaceFinalizersRemaining": (
            ("True", "SomeFinalizersRemain",
             f"Some content in the namespace has finalizers remaining: {_instances(remaining.finalizers, 'in')}")
            if remaining.finalizers else ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")),
    }
    by_type = {condition.type: condition for condition in held}
    instant = to_rfc3339(now)
    for kind, (status, reason, message) in wanted.items():
        old = by_type.get(kind)
        if old is not None and (old.status, old.reason, old.message) == (status, reason, message):
            continue
        since = old.last_transition_time if old is not None and old.status == status else instant
        by_type[kind] = NamespaceCondition(type=kind, status=status, reason=reason, message=message, last_transition_time=since)
    return tuple(by_type.values())


def _instances(counts: Mapping[str, int], verb: str) -> str:
    return ", ".join(f"{name} {verb} {count} resource instances" for name, count in sorted(counts.items()))
