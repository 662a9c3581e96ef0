# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import Condition, LabelSelector, ObjectMeta


class AWSElasticBlockStoreVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    partition: int | None = None
    read_only: bool | None = None
    volume_id: str = msgspec.field(default="", name="volumeID")


class Affinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class AppArmorProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    localhost_profile: str = ""
    type: str = ""


class AttachedVolume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    device_path: str = ""
    name: str = ""


class AzureDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    caching_mode: str = ""
    disk_name: str = ""
    disk_uri: str = msgspec.field(default="", name="diskURI")
    fs_type: str = ""
    kind: str = ""
    read_only: bool | None = None


class AzureFilePersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    read_only: bool | None = None
    secret_name: str = ""
    secret_namespace: str = ""
    share_name: str = ""


class AzureFileVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    read_only: bool | None = None
    secret_name: str = ""
    share_name: str = ""


class Binding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Binding")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Binding")
    metadata: ObjectMeta = ObjectMeta()
    target: ObjectReference | None = None


class CSIPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    controller_expand_secret_ref: SecretReference | None = None
    controller_publish_secret_ref: SecretReference | None = None
    driver: str = ""
    fs_type: str = ""
    node_expand_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    read_only: bool | None = None
    volume_attributes: dict[str, str] = {}
    volume_handle: str = ""


class CSIVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    driver: str = ""
    fs_type: str = ""
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool | None = None
    volume_attributes: dict[str, str] = {}


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class CephFSPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    monitors: tuple[str, ...] = ()
    path: str = ""
    read_only: bool | None = None
    secret_file: str = ""
    secret_ref: SecretReference | None = None
    user: str = ""


class CephFSVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    monitors: tuple[str, ...] = ()
    path: str = ""
    read_only: bool | None = None
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: SecretReference | None = None
    volume_id: str = msgspec.field(default="", name="volumeID")


class CinderVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    volume_id: str = msgspec.field(default="", name="volumeID")


class ClientIPConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    timeout_seconds: int | None = None


class ClusterTrustBundleProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    label_selector: LabelSelector | None = None
    name: str = ""
    optional: bool | None = None
    path: str = ""
    signer_name: str = ""
    user: int | None = None


class ComponentCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    error: str = ""
    message: str = ""
    status: str = ""
    type: str = ""


class ComponentStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "ComponentStatus")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    conditions: tuple[ComponentCondition, ...] = ()
    kind: str = msgspec.field(default_factory=lambda: "ComponentStatus")
    metadata: ObjectMeta = ObjectMeta()


class ConfigMap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "ConfigMap")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    binary_data: dict[str, str] = {}
    data: dict[str, str] = {}
    immutable: bool | None = None
    kind: str = msgspec.field(default_factory=lambda: "ConfigMap")
    metadata: ObjectMeta = ObjectMeta()


class ConfigMapEnvSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    optional: bool | None = None


class ConfigMapKeySelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    name: str = ""
    optional: bool | None = None


class ConfigMapNodeConfigSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    kubelet_config_key: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: str = ""


class ConfigMapProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    items: tuple[KeyToPath, ...] = ()
    name: str = ""
    optional: bool | None = None


class ConfigMapVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    default_mode: int | None = None
    default_user: int | None = None
    items: tuple[KeyToPath, ...] = ()
    name: str = ""
    optional: bool | None = None


class Container(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    name: str = ""
    ports: tuple[ContainerPort, ...] = ()
    readiness_probe: Probe | None = None
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    resources: ResourceRequirements | None = None
    restart_policy: str = ""
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool | None = None
    volume_devices: tuple[VolumeDevice, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    working_dir: str = ""


class ContainerExtendedResourceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container_name: str = ""
    request_name: str = ""
    resource_name: str = ""


class ContainerImage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    names: tuple[str, ...] = ()
    size_bytes: int | None = None


class ContainerPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container_port: int | None = None
    host_ip: str = msgspec.field(default="", name="hostIP")
    host_port: int | None = None
    name: str = ""
    protocol: str = ""


class ContainerResizePolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    resource_name: str = ""
    restart_policy: str = ""


class ContainerRestartRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    action: str = ""
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class ContainerRestartRuleOnExitCodes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    operator: str = ""
    values: tuple[int, ...] = ()


class ContainerState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class ContainerStateRunning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    started_at: str = ""


class ContainerStateTerminated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container_id: str = msgspec.field(default="", name="containerID")
    exit_code: int | None = None
    finished_at: str = ""
    message: str = ""
    reason: str = ""
    signal: int | None = None
    started_at: str = ""


class ContainerStateWaiting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    message: str = ""
    reason: str = ""


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allocated_resources: dict[str, str] = {}
    allocated_resources_status: tuple[ResourceStatus, ...] = ()
    container_id: str = msgspec.field(default="", name="containerID")
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    last_state: ContainerState | None = None
    name: str = ""
    ready: bool | None = None
    resources: ResourceRequirements | None = None
    restart_count: int | None = None
    started: bool | None = None
    state: ContainerState | None = None
    stop_signal: str = ""
    user: ContainerUser | None = None
    volume_mounts: tuple[VolumeMountStatus, ...] = ()


class ContainerUser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    linux: LinuxContainerUser | None = None


class DaemonEndpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    port: int | None = msgspec.field(default=None, name="Port")


class DownwardAPIProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    items: tuple[DownwardAPIVolumeFile, ...] = ()


class DownwardAPIVolumeFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    field_ref: ObjectFieldSelector | None = None
    mode: int | None = None
    path: str = ""
    resource_field_ref: ResourceFieldSelector | None = None
    user: int | None = None


class DownwardAPIVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    default_mode: int | None = None
    default_user: int | None = None
    items: tuple[DownwardAPIVolumeFile, ...] = ()


class EmptyDirVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    medium: str = ""
    mode: int | None = None
    size_limit: str = ""


class EndpointAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hostname: str = ""
    ip: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None


class EndpointPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    app_protocol: str = ""
    name: str = ""
    port: int | None = None
    protocol: str = ""


class EndpointSubset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Endpoints")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Endpoints")
    metadata: ObjectMeta = ObjectMeta()
    subsets: tuple[EndpointSubset, ...] = ()


class EnvFromSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    config_map_ref: ConfigMapEnvSource | None = None
    prefix: str = ""
    secret_ref: SecretEnvSource | None = None


class EnvVar(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvVarSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    config_map_key_ref: ConfigMapKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EphemeralContainer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    name: str = ""
    ports: tuple[ContainerPort, ...] = ()
    readiness_probe: Probe | None = None
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    resources: ResourceRequirements | None = None
    restart_policy: str = ""
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    target_container_name: str = ""
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool | None = None
    volume_devices: tuple[VolumeDevice, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    working_dir: str = ""


class EphemeralVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Event")

    action: str = ""
    api_version: str = msgspec.field(default_factory=lambda: "v1")
    count: int | None = None
    event_time: str = ""
    first_timestamp: str = ""
    involved_object: ObjectReference | None = None
    kind: str = msgspec.field(default_factory=lambda: "Event")
    last_timestamp: str = ""
    message: str = ""
    metadata: ObjectMeta = ObjectMeta()
    reason: str = ""
    related: ObjectReference | None = None
    reporting_component: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    source: EventSource | None = None
    type: str = ""


class EventSeries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    count: int | None = None
    last_observed_time: str = ""


class EventSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    component: str = ""
    host: str = ""


class EvictionResponder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    priority: int | None = None


class ExecAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    command: tuple[str, ...] = ()


class FCVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    lun: int | None = None
    read_only: bool | None = None
    target_wwns: tuple[str, ...] = msgspec.field(default=(), name="targetWWNs")
    wwids: tuple[str, ...] = ()


class FileKeySelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    optional: bool | None = None
    path: str = ""
    volume_name: str = ""


class FlexPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    driver: str = ""
    fs_type: str = ""
    options: dict[str, str] = {}
    read_only: bool | None = None
    secret_ref: SecretReference | None = None


class FlexVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    driver: str = ""
    fs_type: str = ""
    options: dict[str, str] = {}
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    dataset_name: str = ""
    dataset_uuid: str = msgspec.field(default="", name="datasetUUID")


class GCEPersistentDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    partition: int | None = None
    pd_name: str = ""
    read_only: bool | None = None


class GRPCAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    mode: str = ""
    port: int | None = None
    service: str = ""


class GitRepoVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    directory: str = ""
    repository: str = ""
    revision: str = ""


class GlusterfsPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    endpoints: str = ""
    endpoints_namespace: str = ""
    path: str = ""
    read_only: bool | None = None


class GlusterfsVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    endpoints: str = ""
    path: str = ""
    read_only: bool | None = None


class HTTPGetAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    host: str = ""
    http_headers: tuple[HTTPHeader, ...] = ()
    path: str = ""
    port: int | str | None = None
    protocol: str = ""
    scheme: str = ""


class HTTPHeader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    value: str = ""


class HostAlias(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hostnames: tuple[str, ...] = ()
    ip: str = ""


class HostIP(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ip: str = ""


class HostPathVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    path: str = ""
    type: str = ""


class ISCSIPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    chap_auth_discovery: bool | None = None
    chap_auth_session: bool | None = None
    fs_type: str = ""
    initiator_name: str = ""
    iqn: str = ""
    iscsi_interface: str = ""
    lun: int | None = None
    portals: tuple[str, ...] = ()
    read_only: bool | None = None
    secret_ref: SecretReference | None = None
    target_portal: str = ""


class ISCSIVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    chap_auth_discovery: bool | None = None
    chap_auth_session: bool | None = None
    fs_type: str = ""
    initiator_name: str = ""
    iqn: str = ""
    iscsi_interface: str = ""
    lun: int | None = None
    portals: tuple[str, ...] = ()
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    target_portal: str = ""


class ImageVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    pull_policy: str = ""
    reference: str = ""


class ImageVolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    image_ref: str = ""


class KeyToPath(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    mode: int | None = None
    path: str = ""
    user: int | None = None


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""


class LifecycleHandler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class LimitRangeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    limits: tuple[LimitRangeItem, ...] = ()


class LimitRange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "LimitRange")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "LimitRange")
    metadata: ObjectMeta = ObjectMeta()
    spec: LimitRangeSpec = LimitRangeSpec()


class LimitRangeItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    default: dict[str, str] = {}
    default_request: dict[str, str] = {}
    max: dict[str, str] = {}
    max_limit_request_ratio: dict[str, str] = {}
    min: dict[str, str] = {}
    type: str = ""


class LinuxContainerUser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    gid: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    uid: int | None = None


class LoadBalancerIngress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hostname: str = ""
    ip: str = ""
    ip_mode: str = ""
    ports: tuple[PortStatus, ...] = ()


class LoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ingress: tuple[LoadBalancerIngress, ...] = ()


class LocalObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""


class LocalVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    path: str = ""


class ModifyVolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    status: str = ""
    target_volume_attributes_class_name: str = ""


class NFSVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    path: str = ""
    read_only: bool | None = None
    server: str = ""


class NamespaceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    finalizers: tuple[str, ...] = ()


class NamespaceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[NamespaceCondition, ...] = ()
    phase: str = ""


class Namespace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Namespace")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Namespace")
    metadata: ObjectMeta = ObjectMeta()
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class NamespaceCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    config_source: NodeConfigSource | None = None
    external_id: str = msgspec.field(default="", name="externalID")
    pod_cidr: str = msgspec.field(default="", name="podCIDR")
    pod_cidrs: tuple[str, ...] = msgspec.field(default=(), name="podCIDRs")
    pod_preemption_policy: NodePodPreemptionPolicy | None = None
    provider_id: str = msgspec.field(default="", name="providerID")
    taints: tuple[Taint, ...] = ()
    unschedulable: bool | None = None


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    addresses: tuple[NodeAddress, ...] = ()
    allocatable: dict[str, str] = {}
    capacity: dict[str, str] = {}
    conditions: tuple[NodeCondition, ...] = ()
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints | None = None
    declared_features: tuple[str, ...] = ()
    features: NodeFeatures | None = None
    images: tuple[ContainerImage, ...] = ()
    node_info: NodeSystemInfo | None = None
    phase: str = ""
    runtime_handlers: tuple[NodeRuntimeHandler, ...] = ()
    volumes_attached: tuple[AttachedVolume, ...] = ()
    volumes_in_use: tuple[str, ...] = ()


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Node")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Node")
    metadata: ObjectMeta = ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class NodeAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    address: str = ""
    type: str = ""


class NodeAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredSchedulingTerm, ...] = ()
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class NodeAllocatableMappedResources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    quantity: str = ""


class NodeAllocatableOverheadResources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    per_container: str = ""
    per_pod: str = ""


class NodeAllocatableResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    containers: tuple[str, ...] = ()
    mapping: tuple[NodeAllocatableMappedResources, ...] = ()
    overhead: tuple[NodeAllocatableOverheadResources, ...] = ()
    resource_claim_name: str = ""


class NodeCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_heartbeat_time: str = ""
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class NodeConfigSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    config_map: ConfigMapNodeConfigSource | None = None


class NodeConfigStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = None


class NodeDaemonEndpoints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    kubelet_endpoint: DaemonEndpoint | None = None


class NodeFeatures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    supplemental_groups_policy: bool | None = None


class NodePodPreemptionPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    disable_resize_preemption: tuple[str, ...] = ()


class NodeRuntimeHandler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    features: NodeRuntimeHandlerFeatures | None = None
    name: str = ""


class NodeRuntimeHandlerFeatures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class NodeSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class NodeSelectorTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSwapStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    capacity: int | None = None


class NodeSystemInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    architecture: str = ""
    boot_id: str = msgspec.field(default="", name="bootID")
    container_runtime_version: str = ""
    kernel_version: str = ""
    kube_proxy_version: str = ""
    kubelet_version: str = ""
    machine_id: str = msgspec.field(default="", name="machineID")
    operating_system: str = ""
    os_image: str = ""
    running_in_user_namespace: bool | None = None
    swap: NodeSwapStatus | None = None
    system_uuid: str = msgspec.field(default="", name="systemUUID")


class ObjectFieldSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    field_path: str = ""


class ObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    field_path: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: str = ""


class PersistentVolumeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    access_modes: tuple[str, ...] = ()
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFilePersistentVolumeSource | None = None
    capacity: dict[str, str] = {}
    cephfs: CephFSPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    claim_ref: ObjectReference | None = None
    csi: CSIPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mount_options: tuple[str, ...] = ()
    nfs: NFSVolumeSource | None = None
    node_affinity: VolumeNodeAffinity | None = None
    persistent_volume_reclaim_policy: str = ""
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = msgspec.field(default=None, name="scaleIO")
    storage_class_name: str = ""
    storageos: StorageOSPersistentVolumeSource | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: str = ""
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class PersistentVolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_phase_transition_time: str = ""
    message: str = ""
    phase: str = ""
    reason: str = ""


class PersistentVolume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "PersistentVolume")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "PersistentVolume")
    metadata: ObjectMeta = ObjectMeta()
    spec: PersistentVolumeSpec = PersistentVolumeSpec()
    status: PersistentVolumeStatus = PersistentVolumeStatus()


class PersistentVolumeClaimSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    access_modes: tuple[str, ...] = ()
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    resources: VolumeResourceRequirements | None = None
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: str = ""
    volume_name: str = ""


class PersistentVolumeClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    access_modes: tuple[str, ...] = ()
    allocated_resource_statuses: dict[str, str] = {}
    allocated_resources: dict[str, str] = {}
    capacity: dict[str, str] = {}
    conditions: tuple[PersistentVolumeClaimCondition, ...] = ()
    current_volume_attributes_class_name: str | None = None
    health_status: VolumeHealthStatus | None = None
    modify_volume_status: ModifyVolumeStatus | None = None
    phase: str = ""


class PersistentVolumeClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "PersistentVolumeClaim")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "PersistentVolumeClaim")
    metadata: ObjectMeta = ObjectMeta()
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()
    status: PersistentVolumeClaimStatus = PersistentVolumeClaimStatus()


class PersistentVolumeClaimCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_probe_time: str = ""
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class PersistentVolumeClaimTemplate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    metadata: ObjectMeta = ObjectMeta()
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()


class PersistentVolumeClaimVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    claim_name: str = ""
    read_only: bool | None = None


class PhotonPersistentDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    pd_id: str = msgspec.field(default="", name="pdID")


class PodSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    active_deadline_seconds: int | None = None
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = None
    containers: tuple[Container, ...] = ()
    dns_config: PodDNSConfig | None = None
    dns_policy: str = ""
    enable_service_links: bool | None = None
    ephemeral_containers: tuple[EphemeralContainer, ...] = ()
    eviction_responders: tuple[EvictionResponder, ...] = ()
    host_aliases: tuple[HostAlias, ...] = ()
    host_ipc: bool | None = msgspec.field(default=None, name="hostIPC")
    host_network: bool | None = None
    host_pid: bool | None = msgspec.field(default=None, name="hostPID")
    host_users: bool | None = None
    hostname: str = ""
    hostname_override: str = ""
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""
    node_selector: dict[str, str] = {}
    os: PodOS | None = None
    overhead: dict[str, str] = {}
    preemption_policy: str = ""
    priority: int | None = None
    priority_class_name: str = ""
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    resource_claims: tuple[PodResourceClaim, ...] = ()
    resources: ResourceRequirements | None = None
    restart_policy: str = ""
    runtime_class_name: str = ""
    scheduler_name: str = ""
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    scheduling_group: PodSchedulingGroup | None = None
    security_context: PodSecurityContext | None = None
    service_account: str = ""
    service_account_name: str = ""
    set_hostname_as_fqdn: bool | None = msgspec.field(default=None, name="setHostnameAsFQDN")
    share_process_namespace: bool | None = None
    subdomain: str = ""
    termination_grace_period_seconds: int | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    volumes: tuple[Volume, ...] = ()


class PodStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allocated_resources: dict[str, str] = {}
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = msgspec.field(default="", name="hostIP")
    host_ips: tuple[HostIP, ...] = msgspec.field(default=(), name="hostIPs")
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    message: str = ""
    node_allocatable_resource_claim_statuses: tuple[NodeAllocatableResourceClaimStatus, ...] = ()
    nominated_node_name: str = ""
    observed_generation: int | None = None
    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    qos_class: str = ""
    reason: str = ""
    resize: str = ""
    resource_claim_statuses: tuple[PodResourceClaimStatus, ...] = ()
    resources: ResourceRequirements | None = None
    start_time: str = ""
    volume_health: tuple[PodVolumeHealth, ...] = ()


class Pod(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Pod")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Pod")
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()
    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()


class PodAffinityTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    label_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    topology_key: str = ""


class PodAntiAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()
    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()


class PodCertificateProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    key_type: str = ""
    max_expiration_seconds: int | None = None
    signer_name: str = ""
    user: int | None = None
    user_annotations: dict[str, str] = {}


class PodCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_probe_time: str = ""
    last_transition_time: str = ""
    message: str = ""
    observed_generation: int | None = None
    reason: str = ""
    status: str = ""
    type: str = ""


class PodDNSConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    nameservers: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()
    searches: tuple[str, ...] = ()


class PodDNSConfigOption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    value: str = ""


class PodExtendedResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    request_mappings: tuple[ContainerExtendedResourceRequest, ...] = ()
    resource_claim_name: str = ""


class PodIP(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ip: str = ""


class PodOS(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""


class PodReadinessGate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    condition_type: str = ""


class PodResourceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class PodResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    resource_claim_name: str = ""


class PodSchedulingGate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""


class PodSchedulingGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    pod_group_name: str = ""


class PodSecurityContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    app_armor_profile: AppArmorProfile | None = None
    fs_group: int | None = None
    fs_group_change_policy: str = ""
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    se_linux_change_policy: str = ""
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    supplemental_groups: tuple[int, ...] = ()
    supplemental_groups_policy: str = ""
    sysctls: tuple[Sysctl, ...] = ()
    windows_options: WindowsSecurityContextOptions | None = None


class PodTemplateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()


class PodTemplate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "PodTemplate")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "PodTemplate")
    metadata: ObjectMeta = ObjectMeta()
    template: PodTemplateSpec = PodTemplateSpec()


class PodVolumeHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    health_conditions: tuple[VolumeHealthCondition, ...] = ()
    last_transition_time: str = ""
    name: str = ""


class PortStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    error: str = ""
    port: int | None = None
    protocol: str = ""


class PortworxVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    read_only: bool | None = None
    volume_id: str = msgspec.field(default="", name="volumeID")


class PreferredSchedulingTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    preference: NodeSelectorTerm | None = None
    weight: int | None = None


class Probe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    exec: ExecAction | None = None
    failure_threshold: int | None = None
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = None
    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    success_threshold: int | None = None
    tcp_socket: TCPSocketAction | None = None
    termination_grace_period_seconds: int | None = None
    timeout_seconds: int | None = None


class ProjectedVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    default_mode: int | None = None
    default_user: int | None = None
    sources: tuple[VolumeProjection, ...] = ()


class QuobyteVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    group: str = ""
    read_only: bool | None = None
    registry: str = ""
    tenant: str = ""
    user: str = ""
    volume: str = ""


class RBDPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    image: str = ""
    keyring: str = ""
    monitors: tuple[str, ...] = ()
    pool: str = ""
    read_only: bool | None = None
    secret_ref: SecretReference | None = None
    user: str = ""


class RBDVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    image: str = ""
    keyring: str = ""
    monitors: tuple[str, ...] = ()
    pool: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class ReplicationControllerSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    min_ready_seconds: int | None = None
    replicas: int | None = None
    selector: dict[str, str] = {}
    template: PodTemplateSpec = PodTemplateSpec()


class ReplicationControllerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    available_replicas: int | None = None
    conditions: tuple[ReplicationControllerCondition, ...] = ()
    fully_labeled_replicas: int | None = None
    observed_generation: int | None = None
    ready_replicas: int | None = None
    replicas: int | None = None


class ReplicationController(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "ReplicationController")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "ReplicationController")
    metadata: ObjectMeta = ObjectMeta()
    spec: ReplicationControllerSpec = ReplicationControllerSpec()
    status: ReplicationControllerStatus = ReplicationControllerStatus()


class ReplicationControllerCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class ResourceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    request: str = ""


class ResourceFieldSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container_name: str = ""
    divisor: str = ""
    resource: str = ""


class ResourceHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    health: str = ""
    message: str = ""
    resource_id: str = msgspec.field(default="", name="resourceID")


class ResourceQuotaSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hard: dict[str, str] = {}
    scope_selector: ScopeSelector | None = None
    scopes: tuple[str, ...] = ()


class ResourceQuotaStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class ResourceQuota(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "ResourceQuota")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "ResourceQuota")
    metadata: ObjectMeta = ObjectMeta()
    spec: ResourceQuotaSpec = ResourceQuotaSpec()
    status: ResourceQuotaStatus = ResourceQuotaStatus()


class ResourceRequirements(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    claims: tuple[ResourceClaim, ...] = ()
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}


class ResourceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    resources: tuple[ResourceHealth, ...] = ()


class SELinuxOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class ScaleIOPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    gateway: str = ""
    protection_domain: str = ""
    read_only: bool | None = None
    secret_ref: SecretReference | None = None
    ssl_enabled: bool | None = None
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = ""
    volume_name: str = ""


class ScaleIOVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    gateway: str = ""
    protection_domain: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    ssl_enabled: bool | None = None
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = ""
    volume_name: str = ""


class ScopeSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    match_expressions: tuple[ScopedResourceSelectorRequirement, ...] = ()


class ScopedResourceSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    operator: str = ""
    scope_name: str = ""
    values: tuple[str, ...] = ()


class SeccompProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    localhost_profile: str = ""
    type: str = ""


class Secret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Secret")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    data: dict[str, str] = {}
    immutable: bool | None = None
    kind: str = msgspec.field(default_factory=lambda: "Secret")
    metadata: ObjectMeta = ObjectMeta()
    string_data: dict[str, str] = {}
    type: str = ""


class SecretEnvSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    optional: bool | None = None


class SecretKeySelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    name: str = ""
    optional: bool | None = None


class SecretProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    items: tuple[KeyToPath, ...] = ()
    name: str = ""
    optional: bool | None = None


class SecretReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    namespace: str = ""


class SecretVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    default_mode: int | None = None
    default_user: int | None = None
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None
    secret_name: str = ""


class SecurityContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allow_privilege_escalation: bool | None = None
    app_armor_profile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str = ""
    read_only_root_filesystem: bool | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    windows_options: WindowsSecurityContextOptions | None = None


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: int | None = None
    internal_traffic_policy: str = ""
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str = ""
    load_balancer_class: str = ""
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    publish_not_ready_addresses: bool | None = None
    selector: dict[str, str] = {}
    session_affinity: str = ""
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str = ""
    type: str = ""


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()
    load_balancer: LoadBalancerStatus | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Service")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Service")
    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "ServiceAccount")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    automount_service_account_token: bool | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    kind: str = msgspec.field(default_factory=lambda: "ServiceAccount")
    metadata: ObjectMeta = ObjectMeta()
    secrets: tuple[ObjectReference, ...] = ()


class ServiceAccountTokenProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    audience: str = ""
    expiration_seconds: int | None = None
    path: str = ""
    user: int | None = None


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    app_protocol: str = ""
    name: str = ""
    node_port: int | None = None
    port: int | None = None
    protocol: str = ""
    target_port: int | str | None = None


class SessionAffinityConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    client_ip: ClientIPConfig | None = msgspec.field(default=None, name="clientIP")


class SleepAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    seconds: int | None = None


class StorageOSPersistentVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: ObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class StorageOSVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class Sysctl(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    value: str = ""


class TCPSocketAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    host: str = ""
    port: int | str | None = None


class Taint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    effect: str = ""
    key: str = ""
    time_added: str = ""
    value: str = ""


class Toleration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    effect: str = ""
    key: str = ""
    operator: str = ""
    toleration_seconds: int | None = None
    value: str = ""


class TopologySelectorLabelRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    values: tuple[str, ...] = ()


class TopologySelectorTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    match_label_expressions: tuple[TopologySelectorLabelRequirement, ...] = ()


class TopologySpreadConstraint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    label_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    max_skew: int | None = None
    min_domains: int | None = None
    node_affinity_policy: str = ""
    node_taints_policy: str = ""
    topology_key: str = ""
    when_unsatisfiable: str = ""


class TypedLocalObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_group: str | None = None
    kind: str = ""
    name: str = ""


class TypedObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_group: str | None = None
    kind: str = ""
    name: str = ""
    namespace: str = ""


class Volume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = msgspec.field(default=None, name="downwardAPI")
    empty_dir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    name: str = ""
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = msgspec.field(default=None, name="scaleIO")
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class VolumeDevice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    device_path: str = ""
    name: str = ""


class VolumeHealthCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    message: str = ""
    reason: str = ""
    status: str = ""


class VolumeHealthStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    health_conditions: tuple[VolumeHealthCondition, ...] = ()
    last_transition_time: str = ""


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    bind_mount_options: tuple[str, ...] = ()
    mount_path: str = ""
    mount_propagation: str = ""
    name: str = ""
    read_only: bool | None = None
    recursive_read_only: str = ""
    sub_path: str = ""
    sub_path_expr: str = ""


class VolumeMountStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    mount_path: str = ""
    name: str = ""
    read_only: bool | None = None
    recursive_read_only: str = ""
    volume_status: VolumeStatus | None = None


class VolumeNodeAffinity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    required: NodeSelector | None = None


class VolumeProjection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = msgspec.field(default=None, name="downwardAPI")
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class VolumeResourceRequirements(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}


class VolumeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    image: ImageVolumeStatus | None = None


class VsphereVirtualDiskVolumeSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    fs_type: str = ""
    storage_policy_id: str = msgspec.field(default="", name="storagePolicyID")
    storage_policy_name: str = ""
    volume_path: str = ""


class WeightedPodAffinityTerm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    pod_affinity_term: PodAffinityTerm | None = None
    weight: int | None = None


class WindowsSecurityContextOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    gmsa_credential_spec: str = ""
    gmsa_credential_spec_name: str = ""
    host_process: bool | None = None
    run_as_user_name: str = ""
