"""The expressions of a policy, compiled, and what they make of a request. Follows apiserver's admission/plugin/cel and matchconditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from control_plane.apiserver.admission.cel_authorizer import authorizer_of
from control_plane.apiserver.admission.plugin import AdmissionRequest
from control_plane.apiserver.admission.policies.environment import BOOLEAN, TEXT, TEXT_OR_NULL, Compiled, Environment
from control_plane.apiserver.admission.policies.patch_types import OBJECT, OPERATIONS
from control_plane.apiserver.admission.webhooks.review import namespace_of, request_of
from control_plane.apiserver.admission.webhooks.versions import Views
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType
from kube.cel import CostExceeded, EvaluationError
from kube.cel.program import MATCH_CONDITIONS_BUDGET, PER_CALL_LIMIT, RUNTIME_COST_BUDGET

APPLY: Final = "ApplyConfiguration"
JSON_PATCH: Final = "JSONPatch"
_OUT_OF_BUDGET: Final = "validation failed due to running out of cost budget, no further validation rules will be run"
_NAMESPACE_METADATA: Final = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "labels", "annotations", "finalizers",
)


class FailedError(Exception):
    """An expression that has no value; the text is upstream's."""


class OutOfBudgetError(FailedError):
    """All expressions together cost too much: none is evaluated any more."""

    def __init__(self) -> None:
        super().__init__(_OUT_OF_BUDGET)


@dataclass(frozen=True, slots=True)
class Validation:
    condition: Compiled
    message: str
    reason: str
    message_expression: Compiled | None


@dataclass(frozen=True, slots=True)
class Annotation:
    key: str
    value: Compiled


@dataclass(frozen=True, slots=True)
class Mutation:
    kind: str                   # ApplyConfiguration, JSONPatch
    patch: Compiled


@dataclass(frozen=True, slots=True)
class Expressions:
    environment: Environment
    conditions: tuple[Compiled, ...]
    validations: tuple[Validation, ...]
    annotations: tuple[Annotation, ...]
    mutations: tuple[Mutation, ...]

    @classmethod
    def of(cls, spec: JsonObject) -> Expressions:
        mutations = spec.get("mutations") or ()
        env = Environment(params=bool(spec.get("paramKind")), composed=True, patches=bool(mutations))
        for variable in spec.get("variables") or ():
            env.add_variable(variable.get("name") or "", variable.get("expression") or "")
        return cls(
            env, tuple(env.compile(one.get("expression") or "", BOOLEAN) for one in spec.get("matchConditions") or ()),
            tuple(_validation(env, one) for one in spec.get("validations") or ()),
            tuple(Annotation(one.get("key") or "", env.compile(one.get("valueExpression") or "", TEXT_OR_NULL))
                  for one in spec.get("auditAnnotations") or ()),
            tuple(Mutation(one.get("patchType") or "", compile_mutation(env, one)) for one in mutations),
        )

    def meant(self, inputs: Inputs, param: JsonObject | None) -> bool:
        """Whether all match conditions hold; one that does not outweighs those that fail. Raises FailedError."""
        if not self.conditions:
            return True
        run = Run(self.environment, inputs.bindings(param, namespace=False), MATCH_CONDITIONS_BUDGET)
        errors: list[str] = []
        for condition in self.conditions:
            try:
                if run.evaluate(condition) is False:
                    return False
            except OutOfBudgetError:
                raise
            except FailedError as error:
                errors.append(str(error))
        if errors:
            raise FailedError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")
        return True


def _validation(env: Environment, rule: JsonObject) -> Validation:
    message = rule.get("messageExpression") or ""
    return Validation(
        env.compile(rule.get("expression") or "", BOOLEAN), rule.get("message") or "", rule.get("reason") or "Invalid",
        env.compile(message, TEXT, authorizer=False) if message else None,
    )


def compile_mutation(env: Environment, mutation: JsonObject) -> Compiled:
    if mutation.get("patchType") == APPLY:
        return env.compile((mutation.get("applyConfiguration") or {}).get("expression") or "", (OBJECT,), patches=True)
    return env.compile((mutation.get("jsonPatch") or {}).get("expression") or "", (OPERATIONS,), patches=True)


class Inputs:
    """What a request gives the expressions of one policy: its objects in the version that the policy asked for."""

    def __init__(
        self, request: AdmissionRequest, resource: ResourceType, views: Views, namespace: JsonObject | None, authorizer: Authorizer,
    ) -> None:
        checks = authorizer_of(authorizer, request.user)
        asked = request.resource
        self._views = views
        self._resource = resource
        self._checks: Mapping[str, Any] = {
            "authorizer": checks, "authorizer.requestResource": checks.resource_check(
                asked.group, asked.plural, subresource=request.subresource, namespace=namespace_of(request), name=request.name,
            ),
        }
        self._request = {**request_of(request, resource), "options": request.options or None}
        self._namespace = _exposed(namespace) if namespace is not None else None

    def bindings(self, param: JsonObject | None, *, authorizer: bool = True, namespace: bool = True) -> dict[str, Any]:
        return {
            "object": self._views.new(self._resource), "oldObject": self._views.old(self._resource), "request": self._request,
            "namespaceObject": self._namespace if namespace else None, "params": param, **(self._checks if authorizer else {}),
        }


def _exposed(namespace: JsonObject) -> JsonObject:
    """What expressions see of a Namespace: neither its managers nor its owners."""
    metadata = namespace.get("metadata") or {}
    shown = {key: metadata[key] for key in _NAMESPACE_METADATA if key in metadata}
    return {"metadata": shown, "spec": namespace.get("spec") or {}, "status": namespace.get("status") or {}}


class Run:
    """Evaluations that share a budget and the values of variables."""

    def __init__(self, environment: Environment, bindings: dict[str, Any], budget: int = RUNTIME_COST_BUDGET) -> None:
        self.budget = budget
        self._spent = 0
        self._bindings = bindings
        if environment.variables:
            bindings["variables"] = _Variables(environment.variables, self._variable)

    def evaluate(self, compiled: Compiled) -> Any:
        """Raises FailedError, OutOfBudgetError."""
        if compiled.program is None:
            raise FailedError(f"compilation error: {compiled.error}")
        self._spent, failure, value, cost = 0, "", None, 0
        try:
            value, cost = compiled.program.evaluate_with_cost(self._bindings)
        except CostExceeded as error:
            failure, cost = str(error), PER_CALL_LIMIT + 1
        except EvaluationError as error:
            failure = str(error)
        cost += self._spent
        if cost > self.budget:
            raise OutOfBudgetError
        self.budget -= cost
        if failure:
            raise FailedError(f"expression '{compiled.expression}' resulted in error: {failure}")
        return value

    def _variable(self, name: str, compiled: Compiled) -> Any:
        """Raises EvaluationError, which the expression that uses the variable may absorb."""
        if compiled.program is None:
            raise EvaluationError(f'composited variable "{name}" fails to compile: {compiled.error}')
        try:
            value, cost = compiled.program.evaluate_with_cost(self._bindings)
        except CostExceeded as error:
            self._spent += PER_CALL_LIMIT + 1
            raise EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from error
        except EvaluationError as error:
            raise EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from error
        self._spent += cost
        return value


class _Variables(dict[str, Any]):
    """`variables`: each is evaluated when it is first asked for."""

    def __init__(self, compiled: Mapping[str, Compiled], evaluate: Callable[[str, Compiled], Any]) -> None:
        super().__init__(compiled)
        self._evaluate = evaluate

    def __getitem__(self, name: str) -> Any:
        held = super().__getitem__(name)
        if isinstance(held, Compiled):
            held = self._evaluate(name, held)
            self[name] = held
        return held
