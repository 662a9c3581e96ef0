"""Pods and PodTemplates. Follows registry/core/pod/strategy.go and ValidatePodUpdate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.metadata import validate_object_meta_update
from control_plane.apiserver.strategies.pod_annotations import (
    MIRROR,
    validate_agreement,
    validate_annotation_change,
    validate_pod_annotations,
)
from control_plane.apiserver.strategies.pod_defaults import default_pod, default_pod_spec, sync_service_account
from control_plane.apiserver.strategies.pod_qos import qos_class
from control_plane.apiserver.strategies.pod_spec import validate_pod_spec, validate_pod_template
from control_plane.apiserver.strategies.pod_status import validate_pod_status
from control_plane.apiserver.strategies.pod_totals import default_pod_resources
from control_plane.apiserver.strategies.pod_updates import validate_ephemeral_change, validate_pod_change, validate_resize
from control_plane.apiserver.strategies.pod_warnings import name_warnings, pod_warnings, template_warnings
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import QuantityError
from kube.apimachinery.validation import forbidden
from kube.process.clock import to_rfc3339


class PodStrategy(Strategy):
    counts_generations = True
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_spec(spec)
        default_pod(spec)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        spec = obj.get("spec") or {}
        try:
            status = {"phase": "Pending", "qosClass": qos_class(spec)}
        except QuantityError:        # validation will say so
            status = {"phase": "Pending"}
        if spec.get("schedulingGates"):
            return {**status, "conditions": [{
                "type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": to_rfc3339(datetime.now(UTC)),
                "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}]}
        return status

    def prepare_for_create(self, obj: JsonObject) -> None:
        default_pod_resources(obj["spec"])
        super().prepare_for_create(obj)
        sync_service_account(obj["spec"])

    def prepare_for_subresource_update(self, obj: JsonObject, old: JsonObject) -> None:
        default_pod_resources(obj["spec"])
        super().prepare_for_subresource_update(obj, old)

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        sync_service_account(obj.setdefault("spec", {}))

    def align_status_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        if qos := (old.get("status") or {}).get("qosClass"):
            obj.setdefault("status", {}).setdefault("qosClass", qos)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
        annotations = metadata.get("annotations") or {}
        causes = validate_pod_annotations(annotations, spec, "metadata.annotations") if annotations else []
        causes += validate_pod_spec(spec, "spec", metadata.get("name") or "", in_pod=True)
        if not spec.get("serviceAccountName"):
            causes += _tokens_of_nobody(spec)
        if old is None:
            if spec.get("ephemeralContainers"):
                causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
            if spec.get("nodeName") and spec.get("schedulingGates"):
                causes.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
            causes += validate_agreement(annotations, spec, "spec") if annotations else []
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return _annotation_changes(obj, old) + validate_pod_change(obj["spec"], old["spec"])

    def validate_subresource_update(self, obj: JsonObject, old: JsonObject, subresource: str) -> list[Cause]:
        if subresource not in {"ephemeralcontainers", "resize"}:
            return self.validate_update(obj, old)
        static = MIRROR in (old["metadata"].get("annotations") or {})
        causes = [*validate_object_meta_update(obj, old), *self.validate_object(obj, old)]
        if subresource == "resize":
            words = "static pods cannot be resized"
            return [forbidden("[]", words)] if static else causes + validate_resize(obj, old)
        if static:
            return [forbidden("[]", "static pods do not support ephemeral containers")]
        new, held = (one["spec"].get("ephemeralContainers") or [] for one in (obj, old))
        return causes + _annotation_changes(obj, old) + validate_ephemeral_change(new, held)

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return _annotation_changes(obj, old) + validate_pod_status(obj, old)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        """On creation only: hardly anybody but controllers updates Pods."""
        if old is not None:
            return []
        words = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"
        return name_warnings(obj, words) + pod_warnings(obj["spec"], obj["metadata"])

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        ips = status.get("podIPs") or ()
        return {
            "spec.nodeName": spec.get("nodeName", ""),
            "spec.restartPolicy": spec.get("restartPolicy", ""),
            "spec.schedulerName": spec.get("schedulerName", ""),
            "spec.serviceAccountName": spec.get("serviceAccountName", ""),
            "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
            "status.phase": status.get("phase", ""),
            "spec.host": spec.get("nodeName", ""),      # its name of old
            "status.podIPs": "",                        # known, yet it never has a value
            "status.podIP": ips[0].get("ip", "") if ips else status.get("podIP", ""),
            "status.nominatedNodeName": status.get("nominatedNodeName", ""),
        }

    def grace_period(self, obj: JsonObject, options: Mapping[str, Any]) -> int:
        spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
        asked = options.get("gracePeriodSeconds")
        period = int(spec.get("terminationGracePeriodSeconds") or 0) if asked is None else int(asked)
        if not spec.get("nodeName") or phase in {"Failed", "Succeeded"}:
            return 0
        return 1 if period < 0 else period


class PodTemplateStrategy(Strategy):
    looks_at_names_again = False
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        default_pod_spec(obj.setdefault("template", {}).setdefault("spec", {}))

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        return validate_pod_template(obj.get("template") or {}, "template")

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        return template_warnings(obj, old, "template")


def _annotation_changes(obj: JsonObject, old: JsonObject) -> list[Cause]:
    new, held = (one["metadata"].get("annotations") or {} for one in (obj, old))
    return [] if new == held else validate_annotation_change(new, held, "metadata.annotations")


def _tokens_of_nobody(spec: JsonObject) -> list[Cause]:
    return [
        forbidden(f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken",
                  "must not be specified when serviceAccountName is not set")
        for index, volume in enumerate(spec.get("volumes") or ())
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ())
        if source.get("serviceAccountToken") is not None
    ]
