"""One policy rule: does it allow this request, does it cover another rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from control_plane.apiserver.authorization.attributes import Attributes


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule of rbac.authorization.k8s.io; "*" is everything, "*/scale" a subresource of everything."""

    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: dict[str, Any]) -> Rule:
        return cls(
            frozenset(rule.get("verbs") or ()), frozenset(rule.get("apiGroups") or ()), frozenset(rule.get("resources") or ()),
            frozenset(rule.get("resourceNames") or ()), tuple(rule.get("nonResourceURLs") or ()),
        )

    def allows(self, attributes: Attributes) -> bool:
        if attributes.verb not in self.verbs and "*" not in self.verbs:
            return False
        if not attributes.is_resource:
            return any(_url_matches(url, attributes.path) for url in self.urls)
        if attributes.group not in self.groups and "*" not in self.groups:
            return False
        if self.names and attributes.name not in self.names:
            return False
        return self._has_resource(attributes.resource, attributes.subresource)

    def _has_resource(self, resource: str, subresource: str) -> bool:
        if "*" in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def covers(self, part: Rule) -> bool:
        """`part` is one of `atoms()`: a single verb on a single thing."""
        (verb,) = part.verbs
        if verb not in self.verbs and "*" not in self.verbs:
            return False
        if part.urls:
            return any(_url_matches(url, part.urls[0]) for url in self.urls)
        (group,), (resource,) = part.groups, part.resources
        if group not in self.groups and "*" not in self.groups:
            return False
        if self.names and not (part.names and part.names <= self.names):
            return False
        return self._has_resource(*resource.partition("/")[::2])

    def atoms(self) -> Iterator[Rule]:
        """The rule taken apart: one verb, group, resource and name (or one path) each."""
        for verb, group, resource in product(self.verbs, self.groups, self.resources):
            single = frozenset((verb,)), frozenset((group,)), frozenset((resource,))
            if not self.names:
                yield Rule(*single)
            for name in self.names:
                yield Rule(*single, frozenset((name,)))
        for verb, url in product(self.verbs, self.urls):
            yield Rule(frozenset((verb,)), urls=(url,))

    def to_dict(self) -> dict[str, Any]:
        fields = {
            "verbs": sorted(self.verbs), "apiGroups": sorted(self.groups), "resources": sorted(self.resources),
            "resourceNames": sorted(self.names), "nonResourceURLs": list(self.urls),
        }
        return {key: value for key, value in fields.items() if value}

    def describe(self) -> str:
        """As upstream prints a rule in messages: {APIGroups:[""], Resources:["pods"], Verbs:["get"]}"""
        parts = (
            ("APIGroups", self.groups), ("Resources", self.resources), ("NonResourceURLs", self.urls),
            ("ResourceNames", self.names), ("Verbs", self.verbs),
        )
        return "{" + ", ".join(f"{title}:{go_list(sorted(values))}" for title, values in parts if values) + "}"


def rules_of(role: dict[str, Any]) -> tuple[Rule, ...]:
    return tuple(Rule.of(rule) for rule in role.get("rules") or ())


def not_covered(wanted: Iterable[Rule], held: Sequence[Rule]) -> list[Rule]:
    """What is in `wanted` and not in `held`, atom by atom."""
    return [atom for rule in wanted for atom in rule.atoms() if not any(owner.covers(atom) for owner in held)]


def compact(atoms: Iterable[Rule]) -> list[Rule]:
    """Atoms of the same thing are joined to one rule with several verbs, in a stable order."""
    verbs: dict[Rule, set[str]] = {}
    for atom in atoms:
        thing = Rule(frozenset(), atom.groups, atom.resources, atom.names, atom.urls)
        verbs.setdefault(thing, set()).update(atom.verbs)
    joined = [Rule(frozenset(found), thing.groups, thing.resources, thing.names, thing.urls) for thing, found in verbs.items()]
    return sorted(joined, key=Rule.describe)


def go_list(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def _url_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path
