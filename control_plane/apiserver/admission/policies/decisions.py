"""What a validating policy says of a request with one parameter. Follows apiserver's policy/validating (validator.go)."""

from __future__ import annotations

from typing import Final, NamedTuple

from control_plane.apiserver.admission.policies.evaluation import FailedError, Inputs, OutOfBudgetError, Run, Validation
from control_plane.apiserver.admission.policies.policy import Policy
from kube.apimachinery.meta import JsonObject
from kube.cel.values import type_name

_LONGEST_MESSAGE: Final = 5 * 1024      # bytes, of an evaluated message


class Decision(NamedTuple):
    """A validation that says no, or that failed where failures count. `place`: its number among the policy's validations."""

    place: int
    message: str
    reason: str = ""


class Outcome(NamedTuple):
    """`failures`: of audit annotations; they refuse whatever the binding's actions are."""

    decisions: list[Decision]
    annotations: list[tuple[str, str]]
    failures: list[str]


def decide(policy: Policy, inputs: Inputs, param: JsonObject | None) -> Outcome:
    try:
        if not policy.expressions.meant(inputs, param):
            return Outcome([], [], [])
        decisions = _decisions(policy, inputs, param)
        annotations, failures = _annotations(policy, inputs, param)
    except FailedError as error:            # of match conditions, or the budget's: one word for all
        return Outcome([] if policy.ignores_failures else [Decision(0, str(error))], [], [])
    return Outcome(decisions, annotations, failures)


def _decisions(policy: Policy, inputs: Inputs, param: JsonObject | None) -> list[Decision]:
    expressions = policy.expressions
    if not expressions.validations:
        return []
    run = Run(expressions.environment, inputs.bindings(param))
    found: list[tuple[int, Validation, str]] = []
    for index, validation in enumerate(expressions.validations):
        try:
            if run.evaluate(validation.condition) is not True:
                found.append((index, validation, ""))
        except OutOfBudgetError:
            raise
        except FailedError as error:
            if not policy.ignores_failures:
                found.append((index, validation, str(error)))
    if all(failure for _, _, failure in found):
        return [Decision(index, failure) for index, _, failure in found]
    messages = Run(expressions.environment, inputs.bindings(param, authorizer=False), run.budget)
    decisions = []
    for index, validation, failure in found:
        if failure:
            decisions.append(Decision(index, failure))
            continue
        try:
            decisions.append(Decision(index, _message(validation, messages), validation.reason))
        except OutOfBudgetError as spent:
            if not policy.ignores_failures:
                decisions.append(Decision(index, f"failed messageExpression: {spent}"))
    return decisions


def _message(validation: Validation, run: Run) -> str:
    """The evaluated message, else the one that is written down, else the expression. Raises OutOfBudgetError."""
    message = ""
    if validation.message_expression is not None:
        try:
            value = run.evaluate(validation.message_expression)
        except OutOfBudgetError:
            raise
        except FailedError:
            value = None
        message = value.strip() if isinstance(value, str) else ""
        if len(message.encode()) > _LONGEST_MESSAGE or "\n" in message:
            message = ""
    return message or validation.message.strip() or f"failed expression: {validation.condition.expression.strip()}"


def _annotations(policy: Policy, inputs: Inputs, param: JsonObject | None) -> tuple[list[tuple[str, str]], list[str]]:
    if not policy.expressions.annotations:
        return [], []
    run = Run(policy.expressions.environment, inputs.bindings(param, authorizer=False))
    found: list[tuple[str, str]] = []
    failures: list[str] = []
    for annotation in policy.expressions.annotations:
        try:
            value = run.evaluate(annotation.value)
        except OutOfBudgetError:
            raise
        except FailedError as error:
            if not policy.ignores_failures:
                failures.append(str(error))
            continue
        if isinstance(value, str):
            if text := value.strip():
                found.append((annotation.key, text))
        elif value is not None:
            failures.append(f"valueExpression '{annotation.value.expression}' resulted in unsupported return type: {type_name(value)}. "
                            "Return type must be either string or null.")
    return found, failures
