# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import NodeSelector
from kube.api.meta_v1 import Condition, ObjectMeta


class AllocatedDeviceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()
    data: Any = None
    device: str = ""
    driver: str = ""
    network_data: NetworkDeviceData | None = None
    pool: str = ""
    share_id: str = msgspec.field(default="", name="shareID")


class AllocationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allocation_timestamp: str = ""
    devices: DeviceAllocationResult | None = None
    node_selector: NodeSelector | None = None


class CELDeviceSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression: str = ""


class CapacityRequestPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    default: str = ""
    valid_range: CapacityRequestPolicyRange | None = None
    valid_values: tuple[str, ...] = ()


class CapacityRequestPolicyRange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    max: str = ""
    min: str = ""
    step: str = ""


class CapacityRequirements(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    requests: dict[str, str] = {}


class Counter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    value: str = ""


class CounterSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    counters: dict[str, Counter] = {}
    name: str = ""


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    all_nodes: bool | None = None
    allow_multiple_allocations: bool | None = None
    attributes: dict[str, DeviceAttribute] = {}
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()
    binds_to_node: bool | None = None
    capacity: dict[str, DeviceCapacity] = {}
    consumes_counters: tuple[DeviceCounterConsumption, ...] = ()
    name: str = ""
    node_allocatable_resources: dict[str, NodeAllocatableResource] = {}
    node_name: str = ""
    node_selector: NodeSelector | None = None
    taints: tuple[DeviceTaint, ...] = ()


class DeviceAllocationConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: tuple[str, ...] = ()
    source: str = ""


class DeviceAllocationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    config: tuple[DeviceAllocationConfiguration, ...] = ()
    results: tuple[DeviceRequestAllocationResult, ...] = ()


class DeviceAttribute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    bool_: bool | None = None
    bools: tuple[bool, ...] = ()
    int_: int | None = None
    ints: tuple[int, ...] = ()
    string: str = ""
    strings: tuple[str, ...] = ()
    version: str = ""
    versions: tuple[str, ...] = ()


class DeviceCapacity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    request_policy: CapacityRequestPolicy | None = None
    value: str = ""


class DeviceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    config: tuple[DeviceClaimConfiguration, ...] = ()
    constraints: tuple[DeviceConstraint, ...] = ()
    requests: tuple[DeviceRequest, ...] = ()


class DeviceClaimConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: tuple[str, ...] = ()


class DeviceClassSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    config: tuple[DeviceClassConfiguration, ...] = ()
    extended_resource_name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()


class DeviceClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("resource.k8s.io", "v1", "DeviceClass")

    api_version: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "DeviceClass")
    metadata: ObjectMeta = ObjectMeta()
    spec: DeviceClassSpec = DeviceClassSpec()


class DeviceClassConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceConstraint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    distinct_attribute: str = ""
    match_attribute: str = ""
    requests: tuple[str, ...] = ()


class DeviceCounterConsumption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    compatibility_groups: tuple[str, ...] = ()
    counter_set: str = ""
    counters: dict[str, Counter] = {}


class DeviceDerivedAttribute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression: str = ""
    name: str = ""


class DeviceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    exactly: ExactDeviceRequest | None = None
    first_available: tuple[DeviceSubRequest, ...] = ()
    name: str = ""


class DeviceRequestAllocationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    admin_access: bool | None = None
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()
    consumed_capacity: dict[str, str] = {}
    device: str = ""
    driver: str = ""
    pool: str = ""
    request: str = ""
    share_id: str = msgspec.field(default="", name="shareID")
    skip_node_operations: tuple[str, ...] = ()
    tolerations: tuple[DeviceToleration, ...] = ()


class DeviceSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    cel: CELDeviceSelector | None = None


class DeviceSubRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allocation_mode: str = ""
    capacity: CapacityRequirements | None = None
    count: int | None = None
    derived_attributes: tuple[DeviceDerivedAttribute, ...] = ()
    device_class_name: str = ""
    name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()
    tolerations: tuple[DeviceToleration, ...] = ()


class DeviceTaint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    effect: str = ""
    key: str = ""
    time_added: str = ""
    value: str = ""


class DeviceTaintRuleSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    device_selector: DeviceTaintSelector | None = None
    taint: DeviceTaint | None = None


class DeviceTaintRuleStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()


class DeviceTaintRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("resource.k8s.io", "v1", "DeviceTaintRule")

    api_version: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "DeviceTaintRule")
    metadata: ObjectMeta = ObjectMeta()
    spec: DeviceTaintRuleSpec = DeviceTaintRuleSpec()
    status: DeviceTaintRuleStatus = DeviceTaintRuleStatus()


class DeviceTaintSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    device: str = ""
    driver: str = ""
    pool: str = ""


class DeviceToleration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    effect: str = ""
    key: str = ""
    operator: str = ""
    toleration_seconds: int | None = None
    value: str = ""


class ExactDeviceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    admin_access: bool | None = None
    allocation_mode: str = ""
    capacity: CapacityRequirements | None = None
    count: int | None = None
    derived_attributes: tuple[DeviceDerivedAttribute, ...] = ()
    device_class_name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()
    tolerations: tuple[DeviceToleration, ...] = ()


class NetworkDeviceData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hardware_address: str = ""
    interface_name: str = ""
    ips: tuple[str, ...] = ()


class NodeAllocatableMapping(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    capacity_key: str = ""
    capacity_multiplier: str = ""
    device_multiplier: str = ""


class NodeAllocatableOverhead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    per_container: str = ""
    per_pod: str = ""


class NodeAllocatableResource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    mapping: NodeAllocatableMapping | None = None
    overhead: NodeAllocatableOverhead | None = None


class OpaqueDeviceConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    driver: str = ""
    parameters: Any = None


class ResourceClaimSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    devices: DeviceClaim | None = None


class ResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allocation: AllocationResult | None = None
    devices: tuple[AllocatedDeviceStatus, ...] = ()
    reserved_for: tuple[ResourceClaimConsumerReference, ...] = ()


class ResourceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("resource.k8s.io", "v1", "ResourceClaim")

    api_version: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ResourceClaim")
    metadata: ObjectMeta = ObjectMeta()
    spec: ResourceClaimSpec = ResourceClaimSpec()
    status: ResourceClaimStatus = ResourceClaimStatus()


class ResourceClaimConsumerReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_group: str = ""
    name: str = ""
    resource: str = ""
    uid: str = ""


class ResourceClaimTemplateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    metadata: ObjectMeta = ObjectMeta()
    spec: ResourceClaimSpec = ResourceClaimSpec()


class ResourceClaimTemplate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("resource.k8s.io", "v1", "ResourceClaimTemplate")

    api_version: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ResourceClaimTemplate")
    metadata: ObjectMeta = ObjectMeta()
    spec: ResourceClaimTemplateSpec = ResourceClaimTemplateSpec()


class ResourcePool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    generation: int | None = None
    name: str = ""
    resource_slice_count: int | None = None


class ResourceSliceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    all_nodes: bool | None = None
    devices: tuple[Device, ...] = ()
    driver: str = ""
    node_name: str = ""
    node_selector: NodeSelector | None = None
    partition_type_attribute: str = ""
    per_device_node_selection: bool | None = None
    pool: ResourcePool | None = None
    shared_counters: tuple[CounterSet, ...] = ()
    skip_node_operations: tuple[str, ...] = ()


class ResourceSlice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("resource.k8s.io", "v1", "ResourceSlice")

    api_version: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ResourceSlice")
    metadata: ObjectMeta = ObjectMeta()
    spec: ResourceSliceSpec = ResourceSliceSpec()
