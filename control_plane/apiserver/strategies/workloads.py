"""Deployment, ReplicaSet, ReplicationController, DaemonSet, ControllerRevision. Follows apis/apps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, ORPHAN, Strategy
from control_plane.apiserver.strategies.pod_defaults import default_pod_spec
from control_plane.apiserver.strategies.pod_spec import validate_pod_template
from control_plane.apiserver.strategies.pod_warnings import name_warnings, template_warnings
from control_plane.apiserver.strategies.selectors import validate_workload_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.intstr import percent
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    NOT_NEGATIVE,
    forbidden,
    invalid,
    not_negative,
    not_supported,
    percent_problems,
    required,
)

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
_COUNTS: Final = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
_BOUNDS: Final = (
    ("fullyLabeledReplicas", "replicas", "status.replicas"), ("readyReplicas", "replicas", "status.replicas"),
    ("availableReplicas", "replicas", "status.replicas"), ("availableReplicas", "readyReplicas", "readyReplicas"),
)


class WorkloadStrategy(Strategy):
    """What the kinds with a selector and a Pod template share."""

    looks_at_names_again = False
    counts_generations = True
    status_metadata: ClassVar[tuple[str, ...]] = OPEN_METADATA
    word: ClassVar[str] = ""                    # how messages call the kind
    numbers: ClassVar[tuple[str, ...]] = ("replicas", "minReadySeconds")
    counts: ClassVar[tuple[str, ...]] = _COUNTS
    bounds: ClassVar[tuple[tuple[str, str, str], ...]] = _BOUNDS
    warns_of_names: ClassVar[bool] = True

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))
        self.default_spec(spec)

    def default_spec(self, spec: JsonObject) -> None:
        spec.setdefault("replicas", 1)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = [cause for key in self.numbers for cause in not_negative(f"spec.{key}", spec.get(key))]
        causes += validate_workload_selector(spec, "spec", self.word)
        causes += self.validate_template(spec)
        causes += always_restarts((spec.get("template") or {}).get("spec") or {}, "spec.template.spec", self.resource.kind)
        return causes + self.validate_spec(spec)

    def validate_template(self, spec: JsonObject) -> list[Cause]:
        return validate_pod_template(spec.get("template") or {}, "spec.template")

    def validate_spec(self, spec: JsonObject) -> list[Cause]:
        return []

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return immutable(obj["spec"], old["spec"], "selector")

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return validate_counts(obj, old, self.counts, self.bounds)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        said = name_warnings(obj) if old is None and self.warns_of_names else []
        return said + template_warnings(obj, old, "spec.template")


def validate_counts(obj: JsonObject, old: JsonObject, counts: Sequence[str], bounds: Sequence[tuple[str, str, str]]) -> list[Cause]:
    """`bounds`: (what, what it cannot exceed, how messages call the latter)."""
    new, held = obj.get("status") or {}, old.get("status") or {}
    causes = [invalid(f"status.{key}", new[key], NOT_NEGATIVE) for key in counts if (new.get(key) or 0) < 0]
    causes += [invalid(f"status.{what}", new.get(what) or 0, f"cannot be greater than {shown}")
               for what, most, shown in bounds if (new.get(what) or 0) > (new.get(most) or 0)]
    collisions = held.get("collisionCount")
    if collisions is not None and (new.get("collisionCount") is None or new["collisionCount"] < collisions):
        causes.append(invalid("status.collisionCount", new.get("collisionCount") or 0, "cannot be decremented"))
    return causes


def always_restarts(pod: JsonObject, path: str, kind: str) -> list[Cause]:
    """Pods that a controller replaces for ever can only restart Always."""
    causes: list[Cause] = []
    policy = pod.get("restartPolicy")
    if policy and policy != "Always":
        causes.append(not_supported(f"{path}.restartPolicy", policy, ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        kind = "ReplicaSet" if kind == "Deployment" else kind
        causes.append(forbidden(f"{path}.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported"))
    return causes


def immutable(new: JsonObject, old: JsonObject, key: str, path: str = "spec") -> list[Cause]:
    same = (new.get(key) or None) == (old.get(key) or None)
    return [] if same else [invalid(f"{path}.{key}", new.get(key), FIELD_IMMUTABLE)]


class DeploymentStrategy(WorkloadStrategy):
    generation_follows_annotations = True
    status_metadata = ("annotations", "finalizers")     # the controller notes the revision together with the status
    word = "deployment"
    numbers = ("replicas",)
    counts = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
              "terminatingReplicas", "collisionCount")
    bounds = (
        ("updatedReplicas", "replicas", "status.replicas"), ("readyReplicas", "replicas", "status.replicas"),
        ("availableReplicas", "replicas", "status.replicas"), ("availableReplicas", "readyReplicas", "readyReplicas"),
    )

    def align_status_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        if "labels" in old["metadata"]:
            obj["metadata"]["labels"] = old["metadata"]["labels"]
        else:
            obj["metadata"].pop("labels", None)

    def default_spec(self, spec: JsonObject) -> None:
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
        strategy = spec.setdefault("strategy", {})
        strategy["type"] = strategy.get("type") or "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")

    def validate_spec(self, spec: JsonObject) -> list[Cause]:
        causes = self._validate_strategy(spec.get("strategy") or {}, "spec.strategy")
        causes += [cause for key in ("minReadySeconds", "revisionHistoryLimit") for cause in not_negative(f"spec.{key}", spec.get(key))]
        deadline = spec.get("progressDeadlineSeconds")
        causes += not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
            causes.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
        return causes

    def _validate_strategy(self, strategy: JsonObject, path: str) -> list[Cause]:
        kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
        if kind == "Recreate":
            problem = "may not be specified when strategy `type` is 'Recreate'"
            return [forbidden(f"{path}.rollingUpdate", problem)] if rolling is not None else []
        if kind != "RollingUpdate":
            return [not_supported(path, {"Type": kind or "", "RollingUpdate": rolling}, ("Recreate", "RollingUpdate"))]
        return validate_rolling_update(rolling or {}, f"{path}.rollingUpdate")


def validate_rolling_update(rolling: JsonObject, path: str) -> list[Cause]:
    """How many Pods may be missing and how many too many, never neither."""
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes = [*validate_share(unavailable, f"{path}.maxUnavailable"), *validate_share(surge, f"{path}.maxSurge")]
    if is_zero(unavailable) and is_zero(surge):
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return causes + at_most_all(unavailable, f"{path}.maxUnavailable")


def at_most_all(value: int | str | None, path: str) -> list[Cause]:
    too_much = isinstance(value, str) and (percent(value) or 0) > 100
    return [invalid(path, value, "must not be greater than 100%")] if too_much else []


def validate_share(value: int | str | None, path: str) -> list[Cause]:
    """A number of zero or more, or a percentage."""
    if isinstance(value, str):
        return [invalid(path, value, problem) for problem in percent_problems(value)]
    return [invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def is_zero(value: int | str | None) -> bool:
    return (percent(value) if isinstance(value, str) else value) == 0


class ReplicaSetStrategy(WorkloadStrategy):
    word = "replicaset"

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"replicas": 0}


class ReplicationControllerStrategy(WorkloadStrategy):
    default_dependents = ORPHAN
    numbers = ("minReadySeconds",)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"replicas": 0}

    def default(self, obj: JsonObject) -> None:
        super().default(obj)
        labels = (obj["spec"]["template"].get("metadata") or {}).get("labels") or {}
        if labels:
            obj["spec"].setdefault("selector", dict(labels))
            if not obj.setdefault("metadata", {}).get("labels"):
                obj["metadata"]["labels"] = dict(labels)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = [cause for key in self.numbers for cause in not_negative(f"spec.{key}", spec.get(key))]
        selector, template = spec.get("selector") or {}, spec.get("template") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        if not selector:
            causes.append(required("spec.selector"))
        causes += not_negative("spec.replicas", spec.get("replicas"))
        if any(labels.get(key) != value for key, value in selector.items()):
            causes.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
        causes += validate_pod_template(template, "spec.template")
        return causes + always_restarts(template.get("spec") or {}, "spec.template.spec", "ReplicationController")

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return []

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"status.replicas": str((obj.get("status") or {}).get("replicas") or 0)}


class DaemonSetStrategy(WorkloadStrategy):
    word = "daemonset"
    numbers = ()
    counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
              "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount")
    bounds = ()
    warns_of_names = False

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0}

    def default_spec(self, spec: JsonObject) -> None:
        spec.setdefault("revisionHistoryLimit", 10)
        strategy = spec.setdefault("updateStrategy", {})
        strategy["type"] = strategy.get("type") or "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        _set_template_generation(obj, 1)

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        held = int((old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or 1)
        changed = obj["spec"].get("template") != old["spec"].get("template")
        _set_template_generation(obj, held + 1 if changed else held)

    def validate_spec(self, spec: JsonObject) -> list[Cause]:
        causes = not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
        causes += self._validate_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
        return causes + not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))

    @staticmethod
    def _validate_strategy(strategy: JsonObject, path: str) -> list[Cause]:
        kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
        if kind == "OnDelete":
            return []
        if kind != "RollingUpdate":
            return [not_supported(path, {"Type": kind, "RollingUpdate": rolling}, ("RollingUpdate", "OnDelete"))]
        path, rolling = f"{path}.rollingUpdate", rolling or {}
        unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
        causes = [*validate_share(unavailable, f"{path}.maxUnavailable"), *validate_share(surge, f"{path}.maxSurge"),
                  *at_most_all(unavailable, f"{path}.maxUnavailable"), *at_most_all(surge, f"{path}.maxSurge")]
        if not is_zero(unavailable) and not is_zero(surge):
            causes.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
        if is_zero(unavailable) and is_zero(surge):
            causes.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
        return causes


def _set_template_generation(obj: JsonObject, generation: int) -> None:
    annotations: dict[str, Any] = obj["metadata"].get("annotations") or {}
    obj["metadata"]["annotations"] = {**annotations, TEMPLATE_GENERATION: str(generation)}


class ControllerRevisionStrategy(Strategy):
    immutable = ("data",)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes = [] if isinstance(obj.get("data"), dict) else [
            required("data", "data is mandatory" if obj.get("data") is None else "data must be a valid JSON object")]
        return causes + not_negative("revision", obj.get("revision"))
