"""Rules for the spec of a Job, its own or in a CronJob's template. Follows apis/batch/validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from control_plane.apiserver.strategies.pod_spec import validate_pod_template
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    domain_path_problems,
    duplicate,
    each,
    invalid,
    invalid_whole,
    not_negative,
    not_supported,
    qualified_name_problems,
    required,
    too_long,
    too_many,
)

_NUMBERS: Final = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex")
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_STATUSES: Final = ("False", "True", "Unknown")
_MANY: Final = 100_000
_MANY_AT_ONCE: Final = 10_000
_MAX_RULES: Final = 20
_MAX_EXIT_CODES: Final = 255
_MAX_MANAGER: Final = 63
_MAX_INDEXES: Final = 64 * 1024


def validate_job_spec(spec: JsonObject, path: str) -> list[Cause]:
    causes = [cause for key in _NUMBERS for cause in not_negative(f"{path}.{key}", spec.get(key))]
    failed, manager = spec.get("maxFailedIndexes"), spec.get("managedBy")
    if failed is not None:
        causes += not_negative(f"{path}.maxFailedIndexes", failed)
        if spec.get("backoffLimitPerIndex") is None:
            causes.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if manager is not None:
        causes += each(f"{path}.managedBy", manager, domain_path_problems(manager))
        causes += [too_long(f"{path}.managedBy", _MAX_MANAGER)] if len(manager) > _MAX_MANAGER else []
    mode = spec.get("completionMode")
    if mode not in {None, "Indexed", "NonIndexed"}:
        causes.append(not_supported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed":
        causes += _validate_indexed(spec, path)
    elif mode in {None, "NonIndexed"}:
        causes += [invalid(f"{path}.{key}", spec[key], "requires indexed completion mode")
                   for key in ("backoffLimitPerIndex", "maxFailedIndexes") if spec.get(key) is not None]
    if spec.get("podFailurePolicy") is not None:
        causes += _validate_failure_policy(spec, f"{path}.podFailurePolicy.rules")
    if spec.get("successPolicy") is not None:
        at = f"{path}.successPolicy"
        causes += _validate_success_policy(spec, f"{at}.rules") if mode == "Indexed" else [
            invalid(at, spec["successPolicy"], "requires indexed completion mode")]
    causes += _validate_replacement(spec, f"{path}.podReplacementPolicy")
    causes += validate_pod_template(spec.get("template") or {}, f"{path}.template")
    return causes + _validate_restarts(spec, f"{path}.template.spec.restartPolicy")


def _validate_restarts(spec: JsonObject, path: str) -> list[Cause]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or ""
    if policy in {"", "Always"}:
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in {"OnFailure", "Never"}:
        return [not_supported(path, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _validate_indexed(spec: JsonObject, path: str) -> list[Cause]:
    completions, parallelism, failed = spec.get("completions"), spec.get("parallelism") or 0, spec.get("maxFailedIndexes")
    causes = [required(f"{path}.completions", "when completion mode is Indexed")] if completions is None else []
    if parallelism > _MANY:
        causes.append(invalid(f"{path}.parallelism", parallelism, f"must be less than or equal to {_MANY} when completion mode is Indexed"))
    if completions is not None and failed is not None and failed > completions:
        causes.append(invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions"))
    if failed is not None and failed > _MANY:
        causes.append(invalid(f"{path}.maxFailedIndexes", failed, f"must be less than or equal to {_MANY}"))
    if completions is None or completions <= _MANY or spec.get("backoffLimitPerIndex") is None:
        return causes
    words = f"must be less than or equal to {_MANY_AT_ONCE} when completions are above {_MANY} and used with backoff limit per index"
    if failed is None:
        causes.append(required(f"{path}.maxFailedIndexes", f"must be specified when completions is above {_MANY}"))
    if parallelism > _MANY_AT_ONCE:
        causes.append(invalid(f"{path}.parallelism", parallelism, words))
    if failed is not None and failed > _MANY_AT_ONCE:
        causes.append(invalid(f"{path}.maxFailedIndexes", failed, words))
    return causes


def _validate_replacement(spec: JsonObject, path: str) -> list[Cause]:
    policy = spec.get("podReplacementPolicy")
    known = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    return [] if policy is None or policy in known else [not_supported(path, policy, known)]


def _listed(values: Sequence[str]) -> str:
    return "valid values: [" + " ".join(f'"{value}"' for value in values) + "]"


def _validate_failure_policy(spec: JsonObject, path: str) -> list[Cause]:
    rules, pod = spec["podFailurePolicy"].get("rules") or (), (spec.get("template") or {}).get("spec") or {}
    causes = [too_many(path, len(rules), _MAX_RULES)] if len(rules) > _MAX_RULES else []
    names = {container.get("name") for key in ("containers", "initContainers") for container in pod.get(key) or ()}
    for index, rule in enumerate(rules):
        at, action = f"{path}[{index}]", rule.get("action") or ""
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
        if not action:
            causes.append(required(f"{at}.action", _listed(_ACTIONS)))
        elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            causes.append(invalid(f"{at}.action", action, "requires the backoffLimitPerIndex to be set"))
        elif action not in _ACTIONS:
            causes.append(not_supported(f"{at}.action", action, _ACTIONS))
        if codes is not None:
            causes += _validate_exit_codes(codes, f"{at}.onExitCodes", names)
        causes += _validate_conditions(conditions, f"{at}.onPodConditions")
        if codes is not None and conditions:
            causes.append(invalid_whole(at, "specifying both OnExitCodes and OnPodConditions is not supported"))
        if codes is None and not conditions:
            causes.append(invalid_whole(at, "specifying one of OnExitCodes and OnPodConditions is required"))
    return causes


def _validate_conditions(patterns: Sequence[JsonObject], path: str) -> list[Cause]:
    causes = [too_many(path, len(patterns), _MAX_RULES)] if len(patterns) > _MAX_RULES else []
    for index, pattern in enumerate(patterns):
        kind, status = pattern.get("type") or "", pattern.get("status") or ""
        causes += each(f"{path}[{index}].type", kind, qualified_name_problems(kind))
        if not status:
            causes.append(required(f"{path}[{index}].status", _listed(_STATUSES)))
        elif status not in _STATUSES:
            causes.append(not_supported(f"{path}[{index}].status", status, _STATUSES))
    return causes


def _validate_exit_codes(codes: JsonObject, path: str, names: set[str | None]) -> list[Cause]:
    operator, container, values = codes.get("operator") or "", codes.get("containerName"), codes.get("values") or []
    causes: list[Cause] = []
    if operator not in {"In", "NotIn"}:
        causes.append(not_supported(f"{path}.operator", operator, ("In", "NotIn")) if operator else
                      required(f"{path}.operator", _listed(("In", "NotIn"))))
    if container is not None and container not in names:
        causes.append(invalid(f"{path}.containerName", container,
                              "must be one of the container or initContainer names in the pod template"))
    at = f"{path}.values"
    if not values:
        causes.append(invalid(at, values, "at least one value is required"))
    elif len(values) > _MAX_EXIT_CODES:
        causes.append(too_many(at, len(values), _MAX_EXIT_CODES))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            causes.append(invalid(f"{at}[{index}]", value, "must not be 0 for the In operator"))
        if value in seen:
            causes.append(duplicate(f"{at}[{index}]", value))
        seen.add(value)
    return causes if values == sorted(values) else [*causes, invalid(at, values, "must be ordered")]


def _validate_success_policy(spec: JsonObject, path: str) -> list[Cause]:
    rules, completions = spec["successPolicy"].get("rules") or (), spec.get("completions") or 0
    causes = [] if rules else [required(path, "at least one rules must be specified when the successPolicy is specified")]
    causes += [too_many(path, len(rules), _MAX_RULES)] if len(rules) > _MAX_RULES else []
    for index, rule in enumerate(rules):
        at, indexes, count = f"{path}[{index}]", rule.get("succeededIndexes"), rule.get("succeededCount")
        if indexes is None and count is None:
            causes.append(required(at, "at least one of succeededCount or succeededIndexes must be specified"))
        total, problem = parse_indexes(indexes, completions) if indexes is not None else (0, "")
        if indexes is not None and len(indexes) > _MAX_INDEXES:
            causes.append(too_long(f"{at}.succeededIndexes", _MAX_INDEXES))
        if problem:
            causes.append(invalid(f"{at}.succeededIndexes", indexes, f"error parsing succeededIndexes: {problem}"))
        if count is None:
            continue
        where = f"{at}.succeededCount"
        causes += not_negative(where, count)
        if count > completions:
            causes.append(invalid(where, count, f"must be less than or equal to {completions} (the number of specified completions)"))
        if indexes is not None and count > total:
            causes.append(invalid(where, count, f"must be less than or equal to {total} (the number of indexes in the specified "
                                                "succeededIndexes field)"))
    return causes


def parse_indexes(text: str, completions: int) -> tuple[int, str]:
    """How many indexes a list like "1,3-5" has, and what is wrong with it."""
    total, last = 0, -1
    for interval in text.split(",") if text else ():
        limits = interval.split("-")
        if len(limits) > 2:
            return 0, (f'the fragment "{interval}" violates the requirement that an index interval can have at most two parts separated '
                       "by '-'")
        numbers: list[int] = []
        for limit in limits:
            if not limit.isdecimal() or not limit.isascii() or len(limit) > 10:
                return 0, f'cannot convert string to integer for index: "{limit}"'
            numbers.append(int(limit))
        for number, limit in zip(numbers, limits, strict=True):
            if number >= completions:
                return 0, f'too large index: "{limit}"'
        if numbers[0] <= last or numbers[-1] < numbers[0] or (len(numbers) > 1 and numbers[1] == numbers[0]):
            return 0, f"non-increasing order, previous: {last if numbers[0] <= last else numbers[0]}, current: " \
                      f"{numbers[0] if numbers[0] <= last else numbers[-1]}"
        total, last = total + numbers[-1] - numbers[0] + 1, numbers[-1]
    return total, ""
