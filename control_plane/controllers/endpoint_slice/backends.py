"""A Pod as a backend of a Service; pure. Follows upstream's endpointslice/utils.go and endpoint/endpoints_controller.go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from control_plane.controllers.pods import is_ready
from kube.api.core_v1 import Node, ObjectReference, Pod, Service, ServicePort
from kube.api.discovery_v1 import Endpoint, EndpointConditions

ZONE_LABEL = "topology.kubernetes.io/zone"


class Port(NamedTuple):
    name: str
    protocol: str
    port: int
    app_protocol: str


def should_be_listed(pod: Pod, *, include_terminating: bool) -> bool:
    """Has an address and will not end for good; ready or not is another question."""
    if pod.status.phase in {"Failed", "Succeeded"} or not pod.status.pod_ip:
        return False
    return include_terminating or not pod.metadata.deletion_timestamp


def ports_of(service: Service, pod: Pod) -> tuple[Port, ...]:
    """The Service's ports as this Pod serves them; a named target port that it does not have is left out."""
    found = ((port, target_port(port, pod)) for port in service.spec.ports)
    return tuple(
        Port(port.name, port.protocol or "TCP", number, port.app_protocol) for port, number in found if number is not None)


def target_port(port: ServicePort, pod: Pod) -> int | None:
    target = port.target_port
    if isinstance(target, int) and target:
        return target
    if not target:
        return port.port
    # Sidecars, which are init containers that go on running, serve ports too.
    sidecars = [container for container in pod.spec.init_containers if container.restart_policy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for held in container.ports:
            if held.name == target and (held.protocol or "TCP") == (port.protocol or "TCP"):
                return held.container_port
    return None


def reference(pod: Pod) -> ObjectReference:
    return ObjectReference(kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid)


def hostname_in(service: Service, pod: Pod) -> str:
    """The name under which a headless Service's DNS knows the Pod: only if the Pod names the Service as its subdomain."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.metadata.name else ""


def endpoint_of(service: Service, pod: Pod, node: Node | None) -> Endpoint:
    serving = is_ready(pod)
    terminating = bool(pod.metadata.deletion_timestamp)
    ready = bool(service.spec.publish_not_ready_addresses) or (serving and not terminating)
    return Endpoint(
        addresses=(pod.status.pod_ip,),
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hostname=hostname_in(service, pod),
        node_name=pod.spec.node_name,
        target_ref=reference(pod),
        zone=node.metadata.labels.get(ZONE_LABEL, "") if node is not None else "",
    )


def view(pod: Pod) -> tuple[object, ...]:
    """Everything of a Pod that its Services' endpoints depend on."""
    return (
        pod.metadata.labels, pod.metadata.uid, pod.status.pod_ip, pod.status.phase, is_ready(pod),
        bool(pod.metadata.deletion_timestamp), pod.spec.node_name, pod.spec.hostname, pod.spec.subdomain,
    )


def is_headless(service: Service) -> bool:
    return service.spec.cluster_ip == "None"


def has_endpoints(service: Service) -> bool:
    """Whether its endpoints are ours to keep: without a selector they are its owner's."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def selected(service: Service, pods: Iterable[Pod]) -> list[Pod]:
    wanted = service.spec.selector.items()
    return [pod for pod in pods if wanted <= pod.metadata.labels.items()]
