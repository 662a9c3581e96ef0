"""matchConstraints of policies, matchResources of bindings: whether they speak of a request. Follows apiserver's policy/matching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.admission.webhooks.rules import Rule
from control_plane.apiserver.admission.webhooks.selection import Selection, selects
from kube.apimachinery.errors import ApiError
from kube.apimachinery.labels import EVERYTHING, Selector, selector_from_label_selector
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType


@dataclass(frozen=True, slots=True)
class NamedRule:
    rule: Rule
    names: frozenset[str]       # empty: all

    @classmethod
    def of(cls, rule: JsonObject) -> NamedRule:
        return cls(Rule.of(rule), frozenset(rule.get("resourceNames") or ()))


@dataclass(frozen=True, slots=True)
class Match:
    rules: tuple[NamedRule, ...]
    excluded: tuple[NamedRule, ...]
    namespaces: Selector
    objects: Selector
    equivalent: bool

    @classmethod
    def of(cls, resources: JsonObject | None) -> Match:
        """Raises SelectorError."""
        if resources is None:
            return cls((), (), EVERYTHING, EVERYTHING, equivalent=False)
        return cls(
            tuple(map(NamedRule.of, resources.get("resourceRules") or ())),
            tuple(map(NamedRule.of, resources.get("excludeResourceRules") or ())),
            selector_from_label_selector(resources.get("namespaceSelector") or {}),
            selector_from_label_selector(resources.get("objectSelector") or {}), resources.get("matchPolicy") == "Equivalent",
        )

    def may_match(self, operation: Operation, resource: ResourceType, subresource: str, others: Iterable[ResourceType]) -> bool:
        """What holds for all requests of a kind; the rest depends on names and labels."""
        if not self.rules:
            return True
        rows = [resource, *(others if self.equivalent else ())]
        return any(named.rule.matches(operation, row, subresource) for named in self.rules for row in rows)

    async def resource_for(
        self, request: AdmissionRequest, others: Sequence[ResourceType], selection: Selection
    ) -> ResourceType | None:
        """In which version the request is meant; None: it is not. Raises ApiError: its namespace is gone."""
        error: ApiError | None = None
        try:
            if not self.namespaces.everything and not await selection.in_namespace(self.namespaces, request):
                return None
        except ApiError as missing:
            error = missing         # counts only if all else speaks of the request
        if not self.objects.everything and not (selects(self.objects, request.obj) or selects(self.objects, request.old)):
            return None
        if self._meant(self.excluded, request, others) is not None:
            return None
        found = self._meant(self.rules, request, others) if self.rules else request.resource
        if found is not None and error is not None:
            raise error
        return found

    def _meant(self, rules: Iterable[NamedRule], request: AdmissionRequest, others: Sequence[ResourceType]) -> ResourceType | None:
        rows = [request.resource, *(others if self.equivalent else ())]
        for row in rows:
            for named in rules:
                if (not named.names or request.name in named.names) and named.rule.matches(request.operation, row, request.subresource):
                    return row
        return None
