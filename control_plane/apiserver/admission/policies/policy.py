"""A policy and its bindings as they are evaluated: read once per revision, their expressions compiled when the policy is first used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from control_plane.apiserver.admission.policies.matching import Match
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersionKind

if TYPE_CHECKING:
    from control_plane.apiserver.admission.policies.evaluation import Expressions


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    policy: str
    match: Match
    param_ref: JsonObject | None
    actions: tuple[str, ...]            # Deny, Warn, Audit

    @classmethod
    def of(cls, name: str, obj: JsonObject) -> Binding:
        """Raises SelectorError."""
        spec = obj.get("spec") or {}
        return cls(
            name, spec.get("policyName") or "", Match.of(spec.get("matchResources")), spec.get("paramRef"),
            tuple(spec.get("validationActions") or ()),
        )


@dataclass(eq=False)
class Policy:
    """`bindings` are exchanged as they come and go; the rest is as one revision has it."""

    name: str
    spec: JsonObject
    match: Match
    bindings: tuple[Binding, ...] = ()

    @classmethod
    def of(cls, name: str, obj: JsonObject) -> Policy:
        """Raises SelectorError."""
        spec = obj.get("spec") or {}
        return cls(name, spec, Match.of(spec.get("matchConstraints") or {}))

    @property
    def ignores_failures(self) -> bool:
        return self.spec.get("failurePolicy") == "Ignore"

    @property
    def param_kind(self) -> GroupVersionKind | None:
        kind = self.spec.get("paramKind")
        return GroupVersionKind.of(kind.get("apiVersion") or "", kind.get("kind") or "") if kind else None

    @cached_property
    def expressions(self) -> Expressions:
        from control_plane.apiserver.admission.policies.evaluation import Expressions  # lazily: CEL is large, policies are rare

        return Expressions.of(self.spec)
