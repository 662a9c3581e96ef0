"""Which updates of objects may give something back, or bring it into another quota's scope. Follows install/update_filter.go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from control_plane.quota.pods import PODS, is_over
from control_plane.quota.resource_claims import RESOURCE_CLAIMS
from control_plane.quota.services import SERVICES
from control_plane.quota.volume_claims import VOLUME_CLAIMS
from kube.api.core_v1 import PersistentVolumeClaim, Pod, Service
from kube.api.resource_v1 import ResourceClaim
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

Facts = Callable[[Any, datetime], object]


def _pod(pod: Pod, now: datetime) -> object:
    resources = tuple(status.resources for status in (*pod.status.container_statuses, *pod.status.init_container_statuses))
    allocated = tuple(status.allocated_resources for status in (*pod.status.container_statuses, *pod.status.init_container_statuses))
    pending = tuple(one.reason for one in pod.status.conditions if one.type == "PodResizePending")
    asked = tuple(container.resources for container in (*pod.spec.containers, *pod.spec.init_containers))
    over = pod.status.phase in {"Succeeded", "Failed"} or (
        bool(pod.metadata.deletion_timestamp) and is_over({"metadata": as_json(pod.metadata)}, now))
    return (
        over, pod.spec.active_deadline_seconds, pod.spec.resources, asked, resources, allocated, pending, pod.status.qos_class,
        pod.spec.priority_class_name,
    )


def _service(service: Service, _now: datetime) -> object:
    return service.spec.type, service.spec.allocate_load_balancer_node_ports, tuple(port.node_port for port in service.spec.ports)


def _volume_claim(claim: PersistentVolumeClaim, _now: datetime) -> object:
    modified = claim.status.modify_volume_status
    return (
        claim.spec.resources, claim.status.allocated_resources, claim.spec.volume_attributes_class_name,
        claim.status.current_volume_attributes_class_name, modified and modified.target_volume_attributes_class_name,
    )


def _resource_claim(claim: ResourceClaim, _now: datetime) -> object:
    return claim.spec


_FACTS: Final[dict[GroupResource, Facts]] = {
    PODS: _pod, SERVICES: _service, VOLUME_CLAIMS: _volume_claim, RESOURCE_CLAIMS: _resource_claim,
}


def may_matter(resource: GroupResource, old: Any, new: Any, now: datetime) -> bool:
    """Objects that are merely counted never matter until they go."""
    facts = _FACTS.get(resource)
    if old.metadata.uid != new.metadata.uid:
        return True
    return facts is not None and facts(old, now) != facts(new, now)


def as_json(obj: object) -> JsonObject:
    found: JsonObject = msgspec.to_builtins(obj)
    return found
