"""Which updates of objects may give something back, or bring it into another quota's scope. Follows install/update_filter.go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from control_plane.quota.pods import PODS
from control_plane.quota.resource_claims import RESOURCE_CLAIMS
from control_plane.quota.services import SERVICES
from control_plane.quota.volume_claims import VOLUME_CLAIMS
from kube.api.core_v1 import PersistentVolumeClaim, Pod, Service
from kube.api.resource_v1 import ResourceClaim
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

Facts = Callable[[Any], object]


def _pod(pod: Pod) -> object:
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    return (
        pod.status.phase in {"Succeeded", "Failed"}, pod.spec.active_deadline_seconds, pod.spec.resources, pod.status.qos_class,
        tuple(container.resources for container in (*pod.spec.containers, *pod.spec.init_containers)),
        tuple((status.resources, status.allocated_resources) for status in statuses),
        tuple(one.reason for one in pod.status.conditions if one.type == "PodResizePending"),
    )


def _service(service: Service) -> object:
    return service.spec.type, service.spec.allocate_load_balancer_node_ports, tuple(port.node_port for port in service.spec.ports)


def _volume_claim(claim: PersistentVolumeClaim) -> object:
    modified = claim.status.modify_volume_status
    return (
        claim.spec.resources, claim.status.allocated_resources, claim.spec.volume_attributes_class_name,
        claim.status.current_volume_attributes_class_name, modified and modified.target_volume_attributes_class_name,
    )


def _resource_claim(claim: ResourceClaim) -> object:
    return claim.spec


_FACTS: Final[dict[GroupResource, Facts]] = {
    PODS: _pod, SERVICES: _service, VOLUME_CLAIMS: _volume_claim, RESOURCE_CLAIMS: _resource_claim,
}


def may_matter(resource: GroupResource, old: Any, new: Any) -> bool:
    """Objects that are merely counted never matter until they go."""
    facts = _FACTS.get(resource)
    return facts is not None and facts(old) != facts(new)


def as_json(obj: object) -> JsonObject:
    found: JsonObject = msgspec.to_builtins(obj)
    return found
