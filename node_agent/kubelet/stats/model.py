"""Summary v1alpha1, as k8s.io/kubelet/pkg/apis/stats/v1alpha1 has it. Instants are RFC 3339; None is left out."""

from __future__ import annotations

import msgspec


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    pass


class PSIData(msgspec.Struct, frozen=True, kw_only=True):
    total: int                  # nanoseconds
    avg10: float
    avg60: float
    avg300: float


class PSIStats(msgspec.Struct, frozen=True, kw_only=True):
    full: PSIData
    some: PSIData


class CPUStats(_Part, frozen=True, kw_only=True):
    time: str
    usage_nano_cores: int | None = None
    usage_core_nano_seconds: int | None = None
    psi: PSIStats | None = None


class MemoryStats(_Part, frozen=True, kw_only=True):
    time: str
    available_bytes: int | None = None
    usage_bytes: int | None = None
    working_set_bytes: int | None = None
    rss_bytes: int | None = None
    page_faults: int | None = None
    major_page_faults: int | None = None
    psi: PSIStats | None = None


class IOStats(_Part, frozen=True, kw_only=True):
    time: str
    psi: PSIStats | None = None


class SwapStats(_Part, frozen=True, kw_only=True):
    time: str
    swap_usage_bytes: int | None = None


class ProcessStats(msgspec.Struct, frozen=True, kw_only=True):
    process_count: int


class InterfaceStats(_Part, frozen=True, kw_only=True):
    name: str
    rx_bytes: int | None = None
    rx_errors: int | None = None
    tx_bytes: int | None = None
    tx_errors: int | None = None


class NetworkStats(InterfaceStats, frozen=True, kw_only=True):
    time: str
    interfaces: tuple[InterfaceStats, ...] = ()


class FsStats(_Part, frozen=True, kw_only=True):
    time: str
    available_bytes: int | None = None
    capacity_bytes: int | None = None
    used_bytes: int | None = None
    inodes_free: int | None = None
    inodes: int | None = None
    inodes_used: int | None = None


class PVCReference(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    namespace: str


class VolumeStats(FsStats, frozen=True, kw_only=True):
    name: str
    pvc_ref: PVCReference | None = None


class ContainerStats(_Part, frozen=True, kw_only=True):
    name: str
    start_time: str
    cpu: CPUStats | None = None
    memory: MemoryStats | None = None
    io: IOStats | None = None
    rootfs: FsStats | None = None
    logs: FsStats | None = None
    swap: SwapStats | None = None


class PodReference(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    namespace: str
    uid: str


class PodStats(_Part, frozen=True, kw_only=True):
    pod_ref: PodReference
    start_time: str
    containers: tuple[ContainerStats, ...] | None = None        # None never; a default that is not (), since [] has to be shown
    cpu: CPUStats | None = None
    memory: MemoryStats | None = None
    io: IOStats | None = None
    network: NetworkStats | None = None
    volume: tuple[VolumeStats, ...] = ()
    ephemeral_storage: FsStats | None = msgspec.field(default=None, name="ephemeral-storage")
    process_stats: ProcessStats | None = msgspec.field(default=None, name="process_stats")
    swap: SwapStats | None = None


class RuntimeStats(_Part, frozen=True, kw_only=True):
    image_fs: FsStats | None = None
    container_fs: FsStats | None = None


class RlimitStats(_Part, frozen=True, kw_only=True):
    time: str
    maxpid: int | None = None
    curproc: int | None = None


class NodeStats(_Part, frozen=True, kw_only=True):
    node_name: str
    start_time: str
    system_containers: tuple[ContainerStats, ...] = ()
    cpu: CPUStats | None = None
    memory: MemoryStats | None = None
    io: IOStats | None = None
    network: NetworkStats | None = None
    fs: FsStats | None = None
    runtime: RuntimeStats | None = None
    rlimit: RlimitStats | None = None
    swap: SwapStats | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    node: NodeStats
    pods: tuple[PodStats, ...] = ()
