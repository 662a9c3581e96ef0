"""Which evaluator is whose. Follows evaluator/core/registry.go and install/registry.go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from control_plane.quota.evaluator import COUNT, CountEvaluator, Evaluator
from control_plane.quota.pods import PODS, PodEvaluator, is_extended_request
from control_plane.quota.resource_claims import DEVICES, RESOURCE_CLAIMS, ResourceClaimEvaluator, Surroundings
from control_plane.quota.services import SERVICES, ServiceEvaluator
from control_plane.quota.volume_claims import VOLUME_CLAIMS, VolumeClaimEvaluator
from kube.apimachinery.scheme import GroupResource

# Not stored, or never counted.
UNCOUNTED: Final = frozenset({
    GroupResource("", "bindings"), GroupResource("", "componentstatuses"), GroupResource("", "events"),
    GroupResource("events.k8s.io", "events"), GroupResource("authentication.k8s.io", "tokenreviews"),
    GroupResource("authentication.k8s.io", "selfsubjectreviews"),
    *(GroupResource("authorization.k8s.io", name) for name in (
        "subjectaccessreviews", "selfsubjectaccessreviews", "localsubjectaccessreviews", "selfsubjectrulesreviews")),
})
_PLAIN: Final = tuple(GroupResource("", name) for name in (
    "pods", "services", "persistentvolumeclaims", "configmaps", "resourcequotas", "replicationcontrollers", "secrets"))


class Evaluators:
    """Of any resource; a custom one is counted as soon as somebody asks."""

    def __init__(self, surroundings: Surroundings) -> None:
        special: tuple[Evaluator, ...] = (
            PodEvaluator(), ServiceEvaluator(), VolumeClaimEvaluator(), ResourceClaimEvaluator(surroundings))
        self._special = {evaluator.resource: evaluator for evaluator in special}
        assert self._special.keys() == {PODS, SERVICES, VOLUME_CLAIMS, RESOURCE_CLAIMS}

    def of(self, resource: GroupResource) -> Evaluator:
        return self._special.get(resource) or CountEvaluator(resource)

    def concerned(self, hard: Iterable[str]) -> list[Evaluator]:
        """Those that some of a quota's names are about, whether or not such a resource is served."""
        names = [*hard]
        found = (self.of(resource) for resource in (*_PLAIN, *_counted(names)) if resource not in UNCOUNTED)
        unique = {evaluator.resource: evaluator for evaluator in found if evaluator.names(names)}
        return [*unique.values()]


def _counted(names: Iterable[str]) -> Iterable[GroupResource]:
    for name in names:
        if name.startswith(COUNT):
            plural, _, group = name.removeprefix(COUNT).partition(".")
            yield GroupResource(group, plural)
        elif name.endswith(DEVICES) or is_extended_request(name):
            yield RESOURCE_CLAIMS
