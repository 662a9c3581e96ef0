"""StatefulSets. Follows apis/apps/v1/defaults.go, ValidateStatefulSetUpdate and registry/apps/statefulset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.persistent_volume_claims import claim_warnings, validate_claim_spec
from control_plane.apiserver.strategies.pod_spec import validate_pod_template
from control_plane.apiserver.strategies.workloads import WorkloadStrategy, at_most_all, is_zero, validate_share
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import dns_label_problems, each, forbidden, invalid, not_negative, not_supported, required

_FREE: Final = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
                "minReadySeconds")
_FROZEN: Final = ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy")
_RETENTIONS: Final = ("Retain", "Delete")


class StatefulSetStrategy(WorkloadStrategy):
    word = "statefulset"
    counts = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration",
              "collisionCount")
    bounds = (
        ("readyReplicas", "replicas", "status.replicas"), ("currentReplicas", "replicas", "status.replicas"),
        ("updatedReplicas", "replicas", "status.replicas"), ("availableReplicas", "replicas", "status.replicas"),
        ("availableReplicas", "readyReplicas", "status.readyReplicas"),
    )
    warns_of_names = False

    def name_problems(self, name: str) -> list[str]:
        return dns_label_problems(name)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"replicas": 0, "availableReplicas": 0}

    def default_spec(self, spec: JsonObject) -> None:
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        spec["podManagementPolicy"] = spec.get("podManagementPolicy") or "OrderedReady"
        strategy = spec.setdefault("updateStrategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
            strategy.setdefault("rollingUpdate", {})
        if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
            strategy["rollingUpdate"].setdefault("partition", 0)
            strategy["rollingUpdate"].setdefault("maxUnavailable", 1)
            strategy["rollingUpdate"].setdefault("maxUnavailable", 1)
        retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        for key in ("whenDeleted", "whenScaled"):
            retention[key] = retention.get(key) or "Retain"
        for claim in spec.get("volumeClaimTemplates") or ():
            claim.setdefault("apiVersion", "v1")
            claim.setdefault("kind", "PersistentVolumeClaim")
            claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
            claim.setdefault("status", {}).setdefault("phase", "Pending")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes, held = _validate_policies(spec), (old or {}).get("spec") or {}
        if old is None or spec.get("volumeClaimTemplates") != held.get("volumeClaimTemplates"):
            causes += _validate_claims(spec.get("volumeClaimTemplates") or ())
        name = spec.get("serviceName") or ""
        if name and (old is None or name != held.get("serviceName")):
            causes += each("spec.serviceName", name, dns_label_problems(name))
        return causes + super().validate_object(obj, old)

    def validate_template(self, spec: JsonObject) -> list[Cause]:
        """Containers mount the claims as if they were volumes of the template; the controller will make them so."""
        template = spec.get("template") or {}
        names = [(claim.get("metadata") or {}).get("name") or "" for claim in spec.get("volumeClaimTemplates") or ()]
        if names:
            pod = template.get("spec") or {}
            claimed = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(names)]
            others = [volume for volume in pod.get("volumes") or () if volume.get("name") not in names]
            template = {**template, "spec": {**pod, "volumes": [*others, *claimed]}}
        return validate_pod_template(template, "spec.template")

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        """In the sentence of the releases up to 1.36: v1.37 names each field and calls it immutable."""
        new, held = obj["spec"], old["spec"]
        if all(_without_status(new.get(key)) == _without_status(held.get(key)) for key in _FROZEN):
            return []
        *first, last = (f"'{name}'" for name in _FREE)
        return [forbidden("spec", f"updates to statefulset spec for fields other than {', '.join(first)} and {last} are forbidden")]

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        said, spec = super().warnings(obj, old), obj["spec"]
        if old is not None and old["metadata"].get("generation") == obj["metadata"].get("generation"):
            return said
        for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
            said += claim_warnings(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")
        if (spec.get("revisionHistoryLimit") or 0) < 0:
            said.append("spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
        return said


def _validate_policies(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    policy = spec.get("podManagementPolicy") or ""
    if not policy:
        causes.append(required("spec.podManagementPolicy"))
    elif policy not in {"OrderedReady", "Parallel"}:
        causes.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    causes += _validate_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    causes += [not_supported(f"spec.persistentVolumeClaimRetentionPolicy.{key}", retention.get(key) or "", _RETENTIONS)
               for key in ("whenDeleted", "whenScaled") if retention and retention.get(key) not in _RETENTIONS]
    return causes + not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))


def _validate_strategy(strategy: JsonObject, path: str) -> list[Cause]:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if not kind:
        return [required(path)]
    if kind == "OnDelete":
        return [] if rolling is None else [invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")]
    if kind != "RollingUpdate":
        return [invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    rolling = rolling or {}
    causes = not_negative(f"{path}.rollingUpdate.partition", rolling.get("partition"))
    if (unavailable := rolling.get("maxUnavailable")) is not None:
        at = f"{path}.rollingUpdate.maxUnavailable"
        causes += validate_share(unavailable, at)
        causes += [invalid(at, unavailable, "cannot be 0")] if is_zero(unavailable) else []
        causes += at_most_all(unavailable, at)
    return causes


def _without_status(value: Any) -> Any:
    """Of claims, metadata and spec count; an empty value is none."""
    if not isinstance(value, list):
        return value or None
    return [{key: claim.get(key) for key in ("metadata", "spec")} for claim in value] or None


def _validate_claims(claims: Sequence[JsonObject]) -> list[Cause]:
    return [cause for index, claim in enumerate(claims)
            for cause in validate_claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")]
