"""Services, EndpointSlices and Pods as far as DNS cares: decoded with these few fields only, then held as small records."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

import msgspec

from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.scheme import GroupVersionKind

SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
NO_PORT: Final = -1                     # of endpoints without any port: they have addresses, but no SRV record


class ServicePort(msgspec.Struct, frozen=True):
    name: str = ""
    port: int = 0
    protocol: str = "TCP"


class ServiceSpec(msgspec.Struct, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    external_name: str = msgspec.field(default="", name="externalName")
    ports: tuple[ServicePort, ...] = ()


class Service(msgspec.Struct, frozen=True):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Service")

    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceSpec = ServiceSpec()


class EndpointConditions(msgspec.Struct, frozen=True):
    ready: bool | None = None


class TargetRef(msgspec.Struct, frozen=True):
    kind: str = ""
    name: str = ""


class Endpoint(msgspec.Struct, frozen=True, rename="camel"):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    hostname: str = ""
    target_ref: TargetRef | None = None


class EndpointPort(msgspec.Struct, frozen=True):
    name: str = ""
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(msgspec.Struct, frozen=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("discovery.k8s.io", "v1", "EndpointSlice")

    metadata: ObjectMeta = ObjectMeta()
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Namespace(msgspec.Struct, frozen=True):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Namespace")

    metadata: ObjectMeta = ObjectMeta()


class PodStatus(msgspec.Struct, frozen=True):
    pod_ip: str = msgspec.field(default="", name="podIP")


class Pod(msgspec.Struct, frozen=True):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Pod")

    metadata: ObjectMeta = ObjectMeta()
    status: PodStatus = PodStatus()


class ServiceKey(NamedTuple):
    namespace: str
    name: str


class ServiceRecord(NamedTuple):
    """What DNS knows of a Service. `cluster_ips` is empty for a headless one."""

    key: ServiceKey
    headless: bool
    cluster_ips: tuple[str, ...]
    external_name: str
    ports: tuple[ServicePort, ...]

    @classmethod
    def of(cls, service: Service) -> ServiceRecord:
        spec = service.spec
        addresses = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
        headless = addresses[:1] == ("None",)
        return cls(
            ServiceKey(service.metadata.namespace, service.metadata.name),
            headless,
            () if headless else addresses,
            spec.external_name if spec.type == "ExternalName" else "",
            spec.ports,
        )


class EndpointRecord(NamedTuple):
    address: str
    hostname: str                       # its label in DNS: the Pod's hostname, or the address with dashes


class SliceRecord(NamedTuple):
    service: ServiceKey
    endpoints: tuple[EndpointRecord, ...]
    ports: tuple[ServicePort, ...]

    @classmethod
    def of(cls, endpoint_slice: EndpointSlice) -> SliceRecord:
        """Ready endpoints alone: the controller calls all of them ready where publishNotReadyAddresses is set."""
        metadata = endpoint_slice.metadata
        ready = [each for each in endpoint_slice.endpoints if each.conditions.ready is not False]
        ports = tuple(ServicePort(port.name, port.port or NO_PORT, port.protocol) for port in endpoint_slice.ports)
        return cls(
            ServiceKey(metadata.namespace, metadata.labels.get(SERVICE_NAME_LABEL, "")),
            tuple(
                EndpointRecord(address, each.hostname or dashed(address))
                for each in ready if endpoint_slice.address_type != "FQDN" for address in each.addresses
            ),
            ports or (ServicePort("", NO_PORT, ""),),
        )


def dashed(address: str) -> str:
    """An address as a DNS label; a label must not end in a dash."""
    label = address.replace(".", "-").replace(":", "-")
    return label + "0" if label.endswith("-") else label
