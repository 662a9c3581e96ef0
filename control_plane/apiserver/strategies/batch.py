"""Jobs and CronJobs. Follows apis/batch/v1/defaults.go, apis/batch/validation and registry/batch/job/strategy.go."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, ORPHAN, Strategy
from control_plane.apiserver.strategies.cron_schedules import schedule_problem, zone_problem
from control_plane.apiserver.strategies.job_rules import validate_job_spec
from control_plane.apiserver.strategies.job_status import validate_job_status
from control_plane.apiserver.strategies.pod_defaults import default_pod_spec
from control_plane.apiserver.strategies.pod_warnings import name_warnings, template_warnings
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.workloads import immutable
from kube.apimachinery.errors import Cause
from kube.apimachinery.labels import SelectorError, selector_from_label_selector
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import INT32_MAX, dns_label_problems, invalid, not_negative, not_supported, required

CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
JOB_NAME: Final = "batch.kubernetes.io/job-name"
_FIXED: Final = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_SCHEDULING: Final = frozenset({"nodeSelector", "tolerations", "schedulingGates", "affinity"})
_CRON_NAME_LIMIT: Final = 52        # Jobs get the name and eleven more characters


def default_job_spec(spec: JsonObject) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    default_failure_policy(spec)
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else INT32_MAX)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")


def default_failure_policy(spec: JsonObject) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"


class JobStrategy(Strategy):
    field_words = 'field label "{}" not supported for Job'
    looks_at_names_again = False
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
        metadata["labels"] = {**own, **(metadata.get("labels") or {})}      # a client's other value is for the validation to refuse
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(metadata["labels"])      # as upstream shows it: defaulting runs again when a Job is read
        selector = spec.get("selector") or {}
        spec["selector"] = {**selector, "matchLabels": {CONTROLLER_UID: uid, **(selector.get("matchLabels") or {})}}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, name = obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or ""
        causes = _validate_generated(obj) if old is None else []
        causes += validate_job_spec(spec, "spec")
        if spec.get("selector") is None:
            causes.append(required("spec.selector"))
        else:
            causes += validate_label_selector(spec["selector"], "spec.selector")
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        if not _selects(spec.get("selector"), labels or {}):
            causes.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
        if old is None and spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
            hostname = f"{name}-{spec['completions'] - 1}"
            if dns_label_problems(hostname):
                causes.append(invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {hostname}"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj["spec"], old["spec"]
        causes: list[Cause] = []
        if new.get("completionMode") != "Indexed":
            causes += immutable(new, held, "completions")
        elif new.get("completions") not in {None, held.get("completions"), new.get("parallelism")}:
            causes.append(invalid("spec.completions", new["completions"], "can only be modified in tandem with spec.parallelism"))
        causes += immutable(new, held, "selector")
        if not _may_be_rescheduled(old) or _scheduling_aside(new.get("template")) != _scheduling_aside(held.get("template")):
            causes += immutable(new, held, "template")
        return causes + [cause for key in _FIXED for cause in immutable(new, held, key)]

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return validate_job_status(obj, old)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        said = name_warnings(obj) if old is None else []
        return said + _many_completions(obj["spec"], "spec") + template_warnings(obj, old, "spec.template")

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"status.successful": str((obj.get("status") or {}).get("succeeded") or 0)}


def _may_be_rescheduled(old: JsonObject) -> bool:
    """Where Pods run may be changed until they run."""
    return bool(old["spec"].get("suspend")) and not (old.get("status") or {}).get("startTime")


def _scheduling_aside(template: JsonObject | None) -> JsonObject:
    metadata, spec = (template or {}).get("metadata") or {}, (template or {}).get("spec") or {}
    rest = {key: value for key, value in spec.items() if key not in _SCHEDULING and value}
    affinity = {key: value for key, value in (spec.get("affinity") or {}).items() if key != "nodeAffinity"}
    return {"spec": rest, "affinity": affinity,
            "metadata": {key: value for key, value in metadata.items() if key not in {"labels", "annotations"}}}


def _selects(selector: JsonObject | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return False
    try:
        return selector_from_label_selector(selector).matches(labels)
    except SelectorError:
        return True       # said already


def _validate_generated(obj: JsonObject) -> list[Cause]:
    """The labels and the selector that the server makes; a client's own of the same names must be no others."""
    spec, metadata = obj.get("spec") or {}, obj.get("metadata") or {}
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    uid, name = metadata.get("uid") or "", metadata.get("name") or ""
    own = {"controller-uid": uid, "job-name": name, CONTROLLER_UID: uid, JOB_NAME: name}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    causes = [] if uid else [required("metadata.uid")]
    for key, value in own.items():
        path = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            causes.append(required(path, f"must be '{value}'"))
        elif labels[key] != value:
            causes.append(invalid(path, labels, f"must be '{value}'"))
    if not _selects(spec["selector"], own):
        causes.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    return causes


def _many_completions(spec: JsonObject, path: str) -> list[str]:
    many = spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 100_000 and (spec.get("parallelism") or 0) > 10_000
    return [f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might "
            "not be able to track completedIndexes when a big number of indexes fail"] if many else []


class CronJobStrategy(Strategy):
    looks_at_names_again = False
    counts_generations = True
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        for key, value in (("concurrencyPolicy", "Allow"), ("suspend", False), ("successfulJobsHistoryLimit", 3),
                           ("failedJobsHistoryLimit", 1)):
            spec.setdefault(key, value)
        job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
        default_pod_spec(job.setdefault("template", {}).setdefault("spec", {}))
        default_failure_policy(job)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        name = (obj.get("metadata") or {}).get("name") or ""
        if old is None and len(name) > _CRON_NAME_LIMIT:
            causes.append(invalid("metadata.name", name, "must be no more than 52 characters"))
        schedule = spec.get("schedule") or ""
        if not schedule:
            causes.append(required("spec.schedule"))
        else:
            causes += self._validate_schedule(schedule, spec.get("timeZone"), (old or {}).get("spec") or {})
        causes += not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
        zone = spec.get("timeZone")
        if zone is not None and (old is None or zone != (old.get("spec") or {}).get("timeZone")) and (problem := zone_problem(zone)):
            causes.append(invalid("spec.timeZone", zone, problem))
        policies = ("Allow", "Forbid", "Replace")
        if spec.get("concurrencyPolicy") not in policies:
            causes.append(not_supported("spec.concurrencyPolicy", spec.get("concurrencyPolicy") or "", policies))
        job = (spec.get("jobTemplate") or {}).get("spec") or {}
        causes += validate_job_spec(job, "spec.jobTemplate.spec")
        if job.get("selector") is not None:
            causes.append(invalid("spec.jobTemplate.spec.selector", job["selector"], "`selector` will be auto-generated"))
        if job.get("manualSelector"):
            causes.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
        return causes + [cause for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit")
                         for cause in not_negative(f"spec.{key}", spec.get(key))]

    @staticmethod
    def _validate_schedule(schedule: str, zone: str | None, old: JsonObject) -> list[Cause]:
        path, problem = "spec.schedule", schedule_problem(schedule)
        causes = [invalid(path, schedule, problem)] if problem else []
        if "TZ" not in schedule:
            return causes
        if "TZ" not in (old.get("schedule") or ""):
            causes.append(invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
        elif zone is not None:
            causes.append(invalid(path, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
        return causes

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        said, spec = name_warnings(obj) if old is None else [], obj["spec"]
        said += _many_completions((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")
        said += template_warnings(obj, old, "spec.jobTemplate.spec.template")
        if "TZ" in (spec.get("schedule") or ""):
            said.append("CRON_TZ or TZ used in spec.schedule is not officially supported, see "
                        "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details")
        return said
