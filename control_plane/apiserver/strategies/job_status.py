"""Rules for what the Job controller (or anybody) writes into a Job's status. Follows validateJobStatus."""

from __future__ import annotations

from typing import Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import NOT_NEGATIVE, invalid, invalid_whole, required

_COUNTS: Final = ("active", "succeeded", "failed", "ready", "terminating")
_CONDITIONS: Final = "status.conditions"
# Conditions that cannot both be true, with upstream's words.
_EXCLUSIVE: Final = (
    ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
    ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
    ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    ("SuccessCriteriaMet", "FailureTarget", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
)


def validate_job_status(obj: JsonObject, old: JsonObject) -> list[Cause]:
    new, held = obj.get("status") or {}, old.get("status") or {}
    known = _validate_state(held)      # what was wrong already is let be
    causes = [cause for cause in _validate_state(new) if cause not in known]
    now, before = _true(new), _true(held)
    causes += [invalid_whole(_CONDITIONS, f"cannot disable the terminal {kind}=True condition")
               for kind in ("Failed", "Complete", "FailureTarget") if kind in before and kind not in now]
    if "SuccessCriteriaMet" in before and "SuccessCriteriaMet" not in now:
        causes.append(invalid_whole(_CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition"))
    causes += [invalid(f"status.{key}", new.get(key) or 0, f"cannot decrease the {key} counter")
               for key in ("failed", "succeeded") if (new.get(key) or 0) < (held.get(key) or 0)]
    if held.get("completionTime") is not None and new.get("completionTime") not in {None, held["completionTime"]}:
        causes.append(invalid("status.completionTime", new["completionTime"], "completionTime cannot be mutated"))
    return causes


def _validate_state(status: JsonObject) -> list[Cause]:
    """What is wrong with it as it stands."""
    causes = [invalid(f"status.{key}", status[key], NOT_NEGATIVE) for key in _COUNTS if (status.get(key) or 0) < 0]
    now = _true(status)
    causes += [invalid_whole(_CONDITIONS, words) for one, other, words in _EXCLUSIVE if {one, other} <= now]
    if status.get("completionTime") is not None and "Complete" not in now:
        causes.append(invalid("status.completionTime", status["completionTime"],
                              "cannot set completionTime when there is no Complete=True condition"))
    if "Complete" in now and status.get("completionTime") is None:
        causes.append(required("status.completionTime", "completionTime is required for Complete jobs"))
    if (status.get("ready") or 0) > (status.get("active") or 0):
        causes.append(invalid("status.ready", status["ready"], "cannot set more ready pods than active"))
    if now & {"Complete", "Failed"}:
        causes += _validate_finished(status)
    return causes


def _validate_finished(status: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    if (active := status.get("active") or 0) > 0:
        causes.append(invalid("status.active", active, "active>0 is invalid for finished job"))
    if status.get("startTime") is None:
        causes.append(required("status.startTime", "startTime is required for finished job"))
    if (terminating := status.get("terminating") or 0) > 0:
        causes.append(invalid("status.terminating", terminating, "terminating>0 is invalid for finished job"))
    uncounted = status.get("uncountedTerminatedPods") or {}
    if uncounted.get("succeeded") or uncounted.get("failed"):
        causes.append(invalid("status.uncountedTerminatedPods", uncounted, "uncountedTerminatedPods needs to be empty for finished job"))
    return causes


def _true(status: JsonObject) -> set[str]:
    return {condition.get("type") or "" for condition in status.get("conditions") or () if condition.get("status") == "True"}
