"""Jobs and CronJobs. Follows apis/batch/v1/defaults.go, apis/batch/validation and registry/batch/job/strategy.go."""

from __future__ import annotations

import re
import zoneinfo
from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, ORPHAN, Strategy
from control_plane.apiserver.strategies.pod_defaults import default_pod_spec
from control_plane.apiserver.strategies.pod_spec import validate_pod_template
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.workloads import immutable
from kube.apimachinery.errors import Cause
from kube.apimachinery.labels import SelectorError, selector_from_label_selector
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import INT32_MAX, invalid, not_negative, not_supported, required

CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
JOB_NAME: Final = "batch.kubernetes.io/job-name"
_CRON_NAME_LIMIT: Final = 52        # Jobs get the name and eleven more characters
_CRON_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_CRON_WORDS: Final = {
    3: {name: at for at, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)},
    4: {name: at for at, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
}
_DESCRIPTORS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})


def default_job_spec(spec: JsonObject) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else INT32_MAX)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")


class JobStrategy(Strategy):
    counts_generations = True
    status_metadata = OPEN_METADATA
    default_dependents = ORPHAN

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        template = spec.setdefault("template", {})
        default_pod_spec(template.setdefault("spec", {}))
        default_job_spec(spec)
        labels = (template.get("metadata") or {}).get("labels")
        if labels and not obj.setdefault("metadata", {}).get("labels"):
            obj["metadata"]["labels"] = dict(labels)

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        spec, uid, name = obj["spec"], obj["metadata"].get("uid", ""), obj["metadata"].get("name", "")
        if spec.get("manualSelector"):
            return
        metadata = spec["template"].setdefault("metadata", {})
        own = {CONTROLLER_UID: uid, JOB_NAME: name, "controller-uid": uid, "job-name": name}
        metadata["labels"] = {**(metadata.get("labels") or {}), **own}
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(metadata["labels"])      # as upstream shows it: defaulting runs again when a Job is read
        selector = spec.get("selector") or {}
        spec["selector"] = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), CONTROLLER_UID: uid}}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = validate_job_spec(spec, "spec")
        if spec.get("selector") is None:
            return [*causes, required("spec.selector")]
        causes += validate_label_selector(spec["selector"], "spec.selector")
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
        try:
            matches = selector_from_label_selector(spec["selector"]).matches(labels)
        except SelectorError:
            matches = True       # said above
        if matches:
            return causes
        return [*causes, invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")]

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj["spec"], old["spec"]
        keys = ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
        if new.get("completionMode") != "Indexed":
            keys.append("completions")
        causes = [cause for key in keys for cause in immutable(new, held, key)]
        waiting = held.get("suspend") and not (old.get("status") or {}).get("startTime")
        return causes if waiting else causes + immutable(new, held, "template")

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"status.successful": str((obj.get("status") or {}).get("succeeded") or 0)}


def validate_job_spec(spec: JsonObject, path: str) -> list[Cause]:
    numbers = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex")
    causes = [cause for key in numbers for cause in not_negative(f"{path}.{key}", spec.get(key))]
    mode = spec.get("completionMode")
    if mode not in {None, "Indexed", "NonIndexed"}:
        causes.append(not_supported(f"{path}.completionMode", mode, ("Indexed", "NonIndexed")))
    if mode == "Indexed" and spec.get("completions") is None:
        causes.append(required(f"{path}.completions", "when completion mode is Indexed"))
    template = spec.get("template") or {}
    causes += validate_pod_template(template, f"{path}.template")
    if (template.get("spec") or {}).get("restartPolicy") not in {"OnFailure", "Never"}:
        causes.append(required(f"{path}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return causes


class CronJobStrategy(Strategy):
    counts_generations = True
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        for key, value in (("concurrencyPolicy", "Allow"), ("suspend", False), ("successfulJobsHistoryLimit", 3),
                           ("failedJobsHistoryLimit", 1)):
            spec.setdefault(key, value)
        job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
        default_pod_spec(job.setdefault("template", {}).setdefault("spec", {}))

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        name = (obj.get("metadata") or {}).get("name") or ""
        if old is None and len(name) > _CRON_NAME_LIMIT:
            causes.append(invalid("metadata.name", name, "must be no more than 52 characters"))
        schedule = spec.get("schedule") or ""
        if not schedule:
            causes.append(required("spec.schedule"))
        elif problem := schedule_problem(schedule):
            causes.append(invalid("spec.schedule", schedule, problem))
        for key in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            causes += not_negative(f"spec.{key}", spec.get(key))
        policies = ("Allow", "Forbid", "Replace")
        if spec.get("concurrencyPolicy") not in policies:
            causes.append(not_supported("spec.concurrencyPolicy", spec.get("concurrencyPolicy") or "", policies))
        if (zone := spec.get("timeZone")) is not None:
            causes += _validate_zone(zone)
        job = (spec.get("jobTemplate") or {}).get("spec") or {}
        if job.get("manualSelector"):
            causes.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
        return causes + validate_job_spec(job, "spec.jobTemplate.spec")


def _validate_zone(zone: str) -> list[Cause]:
    if not zone:
        return [invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        return [invalid("spec.timeZone", zone, "timeZone must be an explicit time zone as defined in "
                                               "https://www.iana.org/time-zones")]
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return [invalid("spec.timeZone", zone, f"unknown time zone {zone}")]
    return []


def schedule_problem(schedule: str) -> str:
    """What is wrong with a cron expression; "" when nothing."""
    if schedule.startswith("@"):
        if schedule in _DESCRIPTORS or re.fullmatch(r"@every (\d+(\.\d+)?(ns|us|ms|s|m|h))+", schedule):
            return ""
        return f"unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        fields = fields[1:]
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    parts = ((part, position) for position, field in enumerate(fields) for part in field.split(","))
    return next((problem for part, position in parts if (problem := _part_problem(part, position))), "")


def _part_problem(part: str, position: int) -> str:
    low, high = _CRON_RANGES[position]
    span, slash, step = part.partition("/")
    if slash and (not step.isdecimal() or int(step) == 0):
        return f"failed to parse int from {step}: strconv.Atoi: parsing \"{step}\": invalid syntax" if step != "0" else \
            f"step of range should be a positive number: {part}"
    if span in {"*", "?"}:
        return ""
    bounds = [_CRON_WORDS.get(position, {}).get(bound.lower(), int(bound) if bound.isdecimal() else -1) for bound in span.split("-")]
    if len(bounds) > 2:
        return f"too many hyphens: {part}"
    if -1 in bounds:
        return f"failed to parse int from {span}: strconv.Atoi: parsing \"{span}\": invalid syntax"
    if min(bounds) < low:
        return f"beginning of range ({min(bounds)}) below minimum ({low}): {part}"
    if max(bounds) > high:
        return f"end of range ({max(bounds)}) above maximum ({high}): {part}"
    return "" if bounds == sorted(bounds) else f"beginning of range ({bounds[0]}) beyond end of range ({bounds[1]}): {part}"
