"""Authorization checks: `authorizer.group('apps').resource('deployments').namespace('a').check('create').allowed()`.

The binding of the variable `authorizer` is `Authorizer(decide)`: `decide` gets the whole check and says what the authorizer says.
`authorizer.requestResource` is a variable of its own, bound to `Authorizer(decide).resource_check(...)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Table, method
from kube.cel.types import AUTHORIZER, BOOL, DECISION, GROUP_CHECK, PATH_CHECK, RESOURCE_CHECK, STRING

_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. `error`: why there is none, else ""."""

    is_allowed: bool
    reason: str = ""
    error: str = ""

    cel_type_name = DECISION.name


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked. `service_account`: (namespace, name) where not the request's own user asks; `path`: else a resource."""

    verb: str
    service_account: tuple[str, str] | None = None
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""


Decide = Callable[[Check], Decision]


@dataclass(frozen=True, slots=True)
class Authorizer:
    decide: Decide
    service_account: tuple[str, str] | None = None

    cel_type_name = AUTHORIZER.name

    def resource_check(self, group: str, resource: str, *, subresource: str = "", namespace: str = "", name: str = "") -> ResourceCheck:
        """The check that `authorizer.requestResource` stands for."""
        return ResourceCheck(self.decide, Check("", self.service_account, "", group, resource, subresource, namespace, name))


@dataclass(frozen=True, slots=True)
class PathCheck:
    decide: Decide
    asked: Check

    cel_type_name = PATH_CHECK.name


@dataclass(frozen=True, slots=True)
class GroupCheck:
    decide: Decide
    asked: Check

    cel_type_name = GROUP_CHECK.name


@dataclass(frozen=True, slots=True)
class ResourceCheck:
    decide: Decide
    asked: Check = field(default_factory=lambda: Check(""))

    cel_type_name = RESOURCE_CHECK.name

    def with_(self, **parts: str) -> ResourceCheck:
        return ResourceCheck(self.decide, replace(self.asked, **parts))  # type: ignore[arg-type]


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return PathCheck(authorizer.decide, Check("", authorizer.service_account, path))


def _group(authorizer: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(authorizer.decide, Check("", authorizer.service_account, group=group))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvaluationError("resource must not be empty")
    return ResourceCheck(check.decide, replace(check.asked, resource=resource))


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if len(name) > 253 or not re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", name):
        raise EvaluationError("Invalid service account name")
    if len(namespace) > 63 or not re.fullmatch(_LABEL, namespace):
        raise EvaluationError("Invalid service account namespace")
    return Authorizer(authorizer.decide, (namespace, name))


def _check(check: PathCheck | ResourceCheck, verb: str) -> Decision:
    return check.decide(replace(check.asked, verb=verb))


def _narrowed(function: str, id_: str, part: str) -> Table:
    def call(check: ResourceCheck, value: str) -> ResourceCheck:
        return check.with_(**{part: value})
    return {function: [method(id_, (RESOURCE_CHECK, STRING), RESOURCE_CHECK, call)]}


FUNCTIONS: Final[Table] = {
    "path": [method("authorizer_path", (AUTHORIZER, STRING), PATH_CHECK, _path)],
    "group": [method("authorizer_group", (AUTHORIZER, STRING), GROUP_CHECK, _group)],
    "serviceAccount": [method("authorizer_serviceaccount", (AUTHORIZER, STRING, STRING), AUTHORIZER, _service_account)],
    "resource": [method("groupcheck_resource", (GROUP_CHECK, STRING), RESOURCE_CHECK, _resource)],
    **_narrowed("subresource", "resourcecheck_subresource", "subresource"),
    **_narrowed("namespace", "resourcecheck_namespace", "namespace"),
    **_narrowed("name", "resourcecheck_name", "name"),
    **_narrowed("fieldSelector", "authorizer_fieldselector", "field_selector"),
    **_narrowed("labelSelector", "authorizer_labelselector", "label_selector"),
    "check": [
        method("pathcheck_check", (PATH_CHECK, STRING), DECISION, _check),
        method("resourcecheck_check", (RESOURCE_CHECK, STRING), DECISION, _check),
    ],
    "errored": [method("decision_errored", (DECISION,), BOOL, lambda decision: bool(decision.error))],
    "error": [method("decision_error", (DECISION,), STRING, lambda decision: decision.error)],
    "allowed": [method("decision_allowed", (DECISION,), BOOL, lambda decision: decision.is_allowed)],
    "reason": [method("decision_reason", (DECISION,), STRING, lambda decision: decision.reason)],
}
