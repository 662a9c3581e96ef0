"""Controllers of Pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and their kin."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, number, wide
from control_plane.apiserver.tables.text import (
    NONE,
    age,
    condition,
    human_duration,
    labels_text,
    name_of,
    names_and_images,
    selector_text,
    since,
)
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersion

_CONTAINERS: Final = (
    wide("Containers", "Names of each container in the template."), wide("Images", "Images referenced by each container in the template."),
)
_SELECTOR: Final = wide("Selector", "@spec.selector")
_JOB_STATES: Final = (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"), ("SuccessCriteriaMet", "SuccessCriteriaMet"))


def _count(part: JsonObject, key: str) -> int:
    return int(part.get(key) or 0)


def _parts(obj: JsonObject) -> tuple[JsonObject, JsonObject, tuple[str, str]]:
    spec = obj.get("spec") or {}
    return spec, obj.get("status") or {}, names_and_images((spec.get("template") or {}).get("spec"))


def _deployment(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status, containers = _parts(obj)
    return [
        name_of(obj), f"{_count(status, 'readyReplicas')}/{_count(spec, 'replicas')}", _count(status, "updatedReplicas"),
        _count(status, "availableReplicas"), age(obj, now), *containers, selector_text(spec.get("selector")),
    ]


def _replica_set(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status, containers = _parts(obj)
    return [name_of(obj), _count(spec, "replicas"), _count(status, "replicas"), _count(status, "readyReplicas"), age(obj, now),
            *containers, selector_text(spec.get("selector"))]


def _replication_controller(obj: JsonObject, now: datetime) -> list[Any]:
    return [*_replica_set({**obj, "spec": {**(obj.get("spec") or {}), "selector": None}}, now)[:-1],
            labels_text((obj.get("spec") or {}).get("selector"))]


def _stateful_set(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status, containers = _parts(obj)
    return [name_of(obj), f"{_count(status, 'readyReplicas')}/{_count(spec, 'replicas')}", age(obj, now), *containers]


def _daemon_set(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status, containers = _parts(obj)
    keys = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable")
    pod = (spec.get("template") or {}).get("spec") or {}
    return [name_of(obj), *(_count(status, key) for key in keys), labels_text(pod.get("nodeSelector")), age(obj, now), *containers,
            selector_text(spec.get("selector"))]


def _controller_revision(obj: JsonObject, now: datetime) -> list[Any]:
    owners = (obj.get("metadata") or {}).get("ownerReferences") or ()
    owner = next((reference for reference in owners if reference.get("controller")), None)
    text = NONE
    if owner is not None:
        group = GroupVersion.parse(owner.get("apiVersion") or "").group
        text = f"{owner.get('kind', '')}{'.' if group else ''}{group}".lower() + "/" + (owner.get("name") or "")
    return [name_of(obj), text, obj.get("revision") or 0, age(obj, now)]


def _job(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status, containers = _parts(obj)
    done, wanted, parallel = _count(status, "succeeded"), spec.get("completions"), _count(spec, "parallelism")
    completions = f"{done}/{1 if wanted is None else wanted}"
    if wanted is None and parallel > 1:
        completions += f" of {parallel}"
    return [name_of(obj), _job_state(obj), completions, _job_duration(status, now), age(obj, now), *containers,
            selector_text(spec.get("selector"))]


def _job_state(obj: JsonObject) -> str:
    def holds(kind: str) -> bool:
        return (condition(obj, kind) or {}).get("status") == "True"

    if holds("Complete") or holds("Failed"):
        return "Complete" if holds("Complete") else "Failed"
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        return "Terminating"
    return next((word for kind, word in _JOB_STATES if holds(kind)), "Running")


def _job_duration(status: JsonObject, now: datetime) -> str:
    if not status.get("startTime"):
        return ""
    end = datetime.fromisoformat(status["completionTime"]) if status.get("completionTime") else now
    return human_duration((end - datetime.fromisoformat(status["startTime"])).total_seconds())


def _cron_job(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = since(status["lastScheduleTime"], now) if status.get("lastScheduleTime") else NONE
    suspend = spec.get("suspend")
    return [
        name_of(obj), spec.get("schedule") or "", spec.get("timeZone") or NONE, "<unset>" if suspend is None else str(bool(suspend)),
        len(status.get("active") or ()), last, age(obj, now), *names_and_images((job.get("template") or {}).get("spec")),
        selector_text(job.get("selector")),
    ]


DEPLOYMENT: Final = Table((
    NAME, Column("Ready", "Number of the pod with ready state"), Column("Up-to-date", "@status.updatedReplicas"),
    Column("Available", "@status.availableReplicas"), AGE, *_CONTAINERS, _SELECTOR,
), _deployment)
_REPLICAS: Final = (
    NAME, number("Desired", "@spec.replicas"), number("Current", "@status.replicas"), number("Ready", "@status.readyReplicas"), AGE,
    *_CONTAINERS, _SELECTOR,
)
REPLICA_SET: Final = Table(_REPLICAS, _replica_set)
REPLICATION_CONTROLLER: Final = Table(_REPLICAS, _replication_controller)
STATEFUL_SET: Final = Table((NAME, Column("Ready", "Number of the pod with ready state"), AGE, *_CONTAINERS), _stateful_set)
DAEMON_SET: Final = Table((
    NAME, number("Desired", "@status.desiredNumberScheduled"), number("Current", "@status.currentNumberScheduled"),
    number("Ready", "@status.numberReady"), number("Up-to-date", "@status.updatedNumberScheduled"),
    number("Available", "@status.numberAvailable"), Column("Node Selector", "@spec.template.spec.nodeSelector"), AGE, *_CONTAINERS,
    _SELECTOR,
), _daemon_set)
CONTROLLER_REVISION: Final = Table((
    NAME, Column("Controller", "Controller of the object"), Column("Revision", "@revision"), AGE,
), _controller_revision)
JOB: Final = Table((
    NAME, Column("Status", "Status of the job."), Column("Completions", "@status.succeeded"),
    Column("Duration", "Time required to complete the job."), AGE, *_CONTAINERS, _SELECTOR,
), _job)
CRON_JOB: Final = Table((
    NAME, Column("Schedule", "@spec.schedule"), Column("Timezone", "@spec.timeZone"), Column("Suspend", "@spec.suspend", "boolean"),
    number("Active", "@status.active"), Column("Last Schedule", "@status.lastScheduleTime"), AGE, *_CONTAINERS,
    wide("Selector", "@spec.jobTemplate.spec.selector"),
), _cron_job)
SCALE: Final = Table(
    (NAME, number("Desired", "@spec.replicas"), number("Available", "@status.replicas"), AGE),
    lambda obj, now: [name_of(obj), _count(obj.get("spec") or {}, "replicas"), _count(obj.get("status") or {}, "replicas"), age(obj, now)],
)
