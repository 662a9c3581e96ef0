"""Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet. Follows apis/apps/v1/defaults.go and apis/apps/validation."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, ORPHAN, Strategy
from control_plane.apiserver.strategies.pod_defaults import default_pod_spec
from control_plane.apiserver.strategies.pod_spec import validate_pod_template
from control_plane.apiserver.strategies.selectors import validate_workload_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.intstr import percent
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    NOT_NEGATIVE,
    dns_label_problems,
    forbidden,
    invalid,
    not_negative,
    not_supported,
    percent_problems,
    required,
)

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
_STATEFUL_FREE: Final = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
                         "persistentVolumeClaimRetentionPolicy", "minReadySeconds")


class WorkloadStrategy(Strategy):
    """What the kinds with a selector and a Pod template share."""

    counts_generations = True
    status_metadata: ClassVar[tuple[str, ...]] = OPEN_METADATA
    word: ClassVar[str] = ""                    # how messages call the kind
    numbers: ClassVar[tuple[str, ...]] = ("replicas", "minReadySeconds", "revisionHistoryLimit")

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
        template = spec.get("template") or {}
        causes += validate_pod_template(template, "spec.template")
        causes += always_restarts(template.get("spec") or {}, "spec.template.spec", self.resource.kind)
        return causes + self.validate_spec(spec)

    def validate_spec(self, spec: JsonObject) -> list[Cause]:
        return []

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return immutable(obj["spec"], old["spec"], "selector")


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
            return [not_supported(f"{path}.type", kind or "", ("Recreate", "RollingUpdate"))]
        return validate_rolling_update(rolling or {}, f"{path}.rollingUpdate")


def validate_rolling_update(rolling: JsonObject, path: str) -> list[Cause]:
    """How many Pods may be missing and how many too many, never neither."""
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes = [*validate_share(unavailable, f"{path}.maxUnavailable"), *validate_share(surge, f"{path}.maxSurge")]
    if is_zero(unavailable) and is_zero(surge):
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    if isinstance(unavailable, str) and (percent(unavailable) or 0) > 100:
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%"))
    return causes


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

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"status.replicas": str((obj.get("status") or {}).get("replicas") or 0)}


class ReplicationControllerStrategy(WorkloadStrategy):
    default_dependents = ORPHAN

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
        elif any(labels.get(key) != value for key, value in selector.items()):
            causes.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
        causes += validate_pod_template(template, "spec.template")
        return causes + always_restarts(template.get("spec") or {}, "spec.template.spec", "ReplicationController")

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return []

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"status.replicas": str((obj.get("status") or {}).get("replicas") or 0)}


class StatefulSetStrategy(WorkloadStrategy):
    word = "statefulset"

    def name_problems(self, name: str) -> list[str]:
        return dns_label_problems(name)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"replicas": 0, "availableReplicas": 0}

    def default_spec(self, spec: JsonObject) -> None:
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("podManagementPolicy", "OrderedReady")
        strategy = spec.setdefault("updateStrategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
            strategy.setdefault("rollingUpdate", {})
        if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
            strategy["rollingUpdate"].setdefault("partition", 0)
        retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        retention.setdefault("whenDeleted", "Retain")
        retention.setdefault("whenScaled", "Retain")
        for claim in spec.get("volumeClaimTemplates") or ():
            claim.setdefault("apiVersion", "v1")
            claim.setdefault("kind", "PersistentVolumeClaim")
            claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
            claim.setdefault("status", {}).setdefault("phase", "Pending")

    def validate_spec(self, spec: JsonObject) -> list[Cause]:
        causes: list[Cause] = []
        if spec.get("podManagementPolicy") not in {"OrderedReady", "Parallel"}:
            causes.append(invalid("spec.podManagementPolicy", spec.get("podManagementPolicy"), "must be 'OrderedReady' or 'Parallel'"))
        strategy = spec.get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            if strategy.get("rollingUpdate") is not None:
                causes.append(invalid("spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"],
                                      "only allowed for updateStrategy 'RollingUpdate'"))
        elif strategy.get("type") != "RollingUpdate":
            causes.append(invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'"))
        else:
            rolling = strategy.get("rollingUpdate") or {}
            causes += not_negative("spec.updateStrategy.rollingUpdate.partition", rolling.get("partition"))
            if rolling.get("maxUnavailable") is not None:
                causes += validate_share(rolling["maxUnavailable"], "spec.updateStrategy.rollingUpdate.maxUnavailable")
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = ({k: v for k, v in o["spec"].items() if k not in _STATEFUL_FREE} for o in (obj, old))
        if _without_claim_status(new) == _without_claim_status(held):
            return []
        *first, last = (f"'{name}'" for name in _STATEFUL_FREE)
        return [forbidden("spec", f"updates to statefulset spec for fields other than {', '.join(first)} and {last} are forbidden")]


def _without_claim_status(spec: JsonObject) -> JsonObject:
    claims = [{key: claim.get(key) for key in ("metadata", "spec")} for claim in spec.get("volumeClaimTemplates") or ()]
    return {**spec, "volumeClaimTemplates": claims}


class DaemonSetStrategy(WorkloadStrategy):
    word = "daemonset"
    numbers = ("minReadySeconds", "revisionHistoryLimit")

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
        strategy = spec.get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return []
        if strategy.get("type") != "RollingUpdate":
            return [not_supported("spec.updateStrategy.type", strategy.get("type") or "", ("RollingUpdate", "OnDelete"))]
        path, rolling = "spec.updateStrategy.rollingUpdate", strategy.get("rollingUpdate") or {}
        unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
        causes = [*validate_share(unavailable, f"{path}.maxUnavailable"), *validate_share(surge, f"{path}.maxSurge")]
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
        causes = [] if obj.get("data") is not None else [required("data", "data is mandatory")]
        return causes + not_negative("revision", obj.get("revision"))
