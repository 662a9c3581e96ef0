"""What was measured, as Summary v1alpha1. Pure. Follows pkg/kubelet/stats and pkg/kubelet/server/stats."""

from __future__ import annotations

from datetime import UTC, datetime

from kube.api.core_v1 import Volume
from kube.client.claims import claim_name
from kube.process.clock import to_rfc3339
from node_agent.kubelet.stats.cgroup_usage import CgroupUsage, Pressure
from node_agent.kubelet.stats.collector import ContainerUsage, NodeUsage, PodUsage, Rated, Storage
from node_agent.kubelet.stats.disk_usage import NOTHING, DiskUsage, Filesystem
from node_agent.kubelet.stats.ephemeral import ephemeral_usage
from node_agent.kubelet.stats.model import (
    ContainerStats,
    CPUStats,
    FsStats,
    InterfaceStats,
    IOStats,
    MemoryStats,
    NetworkStats,
    NodeStats,
    PodReference,
    PodStats,
    ProcessStats,
    PSIData,
    PSIStats,
    PVCReference,
    RlimitStats,
    RuntimeStats,
    Summary,
    SwapStats,
    VolumeStats,
)
from node_agent.kubelet.stats.network_usage import InterfaceUsage

POD_INTERFACE = "eth0"


def make_summary(usage: NodeUsage, storage: Storage | None, processes: tuple[int, int] | None, available_bytes: int | None) -> Summary:
    """`storage` None: CPU and memory only. `processes`: how many run and how many may; `available_bytes`: of the node's memory."""
    node, at = usage.source, usage.rated.usage.at if usage.rated else usage.started_at
    limit = None if available_bytes is None or usage.rated is None else available_bytes + usage.rated.usage.working_set_bytes
    network = storage and storage.interfaces.get(storage.uplink)
    return Summary(
        node=NodeStats(
            node_name=node.name, start_time=instant(usage.started_at),
            system_containers=tuple(_system(name, rated, usage.started_at) for name, rated in sorted(usage.systems.items())),
            cpu=usage.rated and cpu_stats(usage.rated), memory=usage.rated and memory_stats(usage.rated.usage, limit),
            io=_io_stats(usage.rated) if storage else None,
            network=_network(storage.uplink, network, at, storage.interfaces) if storage and network else None,
            fs=_fs_stats(storage.node, at) if storage and storage.node else None,
            runtime=_runtime(storage, at) if storage else None,
            rlimit=RlimitStats(time=instant(at), curproc=processes[0], maxpid=processes[1]) if processes and storage else None,
            swap=usage.rated and swap_stats(usage.rated.usage),
        ),
        pods=tuple(_pod(pod, storage, at) for pod in usage.pods),
    )


def instant(seconds: float) -> str:
    return to_rfc3339(datetime.fromtimestamp(seconds, UTC))


def cpu_stats(rated: Rated) -> CPUStats:
    return CPUStats(
        time=instant(rated.usage.at), usage_nano_cores=rated.nano_cores, usage_core_nano_seconds=rated.usage.cpu_ns,
        psi=_psi(rated.usage, "cpu"),
    )


def memory_stats(usage: CgroupUsage, limit: int | None) -> MemoryStats:
    return MemoryStats(
        time=instant(usage.at), available_bytes=None if limit is None else max(0, limit - usage.working_set_bytes),
        usage_bytes=usage.memory_bytes, working_set_bytes=usage.working_set_bytes, rss_bytes=usage.rss_bytes,
        page_faults=usage.page_faults, major_page_faults=usage.major_page_faults, psi=_psi(usage, "memory"),
    )


def swap_stats(usage: CgroupUsage) -> SwapStats:
    return SwapStats(time=instant(usage.at), swap_usage_bytes=usage.swap_bytes)


def _io_stats(rated: Rated | None) -> IOStats | None:
    psi = _psi(rated.usage, "io") if rated else None
    return IOStats(time=instant(rated.usage.at), psi=psi) if rated and psi else None


def _psi(usage: CgroupUsage, resource: str) -> PSIStats | None:
    some, full = usage.pressure.get((resource, "some")), usage.pressure.get((resource, "full"))
    return PSIStats(some=_psi_data(some), full=_psi_data(full)) if some and full else None


def _psi_data(pressure: Pressure) -> PSIData:
    return PSIData(total=pressure.total_us * 1000, avg10=pressure.avg10, avg60=pressure.avg60, avg300=pressure.avg300)


def _system(name: str, rated: Rated, started_at: float) -> ContainerStats:
    usage = rated.usage
    return ContainerStats(
        name=name, start_time=instant(started_at), cpu=cpu_stats(rated), memory=memory_stats(usage, usage.memory_limit))


def _pod(pod: PodUsage, storage: Storage | None, at: float) -> PodStats:
    source, rated = pod.source, pod.rated
    metadata = source.pod.metadata
    link = storage.interfaces.get(source.link) if storage and source.link else None
    inside = link.from_inside() if link else None
    return PodStats(
        pod_ref=PodReference(name=metadata.name, namespace=metadata.namespace, uid=metadata.uid), start_time=instant(source.started_at),
        containers=tuple(_container(container, storage, at) for container in pod.containers),
        cpu=rated and cpu_stats(rated), memory=rated and memory_stats(rated.usage, rated.usage.memory_limit),
        io=_io_stats(rated) if storage else None,
        network=_network(POD_INTERFACE, inside, at, {POD_INTERFACE: inside}) if inside else None,
        volume=_volumes(pod, storage, at) if storage else (),
        ephemeral_storage=_used(storage.node, ephemeral_usage(pod, storage), at) if storage and storage.node else None,
        process_stats=ProcessStats(process_count=rated.usage.processes) if rated else None, swap=rated and swap_stats(rated.usage),
    )


def _container(container: ContainerUsage, storage: Storage | None, at: float) -> ContainerStats:
    source, rated = container.source, container.rated
    rootfs = logs = None
    if storage is not None and storage.node is not None:
        rootfs = _used(storage.node, storage.counted.get(source.layer, NOTHING), at)
        logs = _used(storage.node, storage.counted.get(source.logs, NOTHING), at)
    return ContainerStats(
        name=source.name, start_time=instant(source.started_at), cpu=cpu_stats(rated),
        memory=memory_stats(rated.usage, rated.usage.memory_limit), io=_io_stats(rated) if storage else None, rootfs=rootfs, logs=logs,
        swap=swap_stats(rated.usage),
    )


def _volumes(pod: PodUsage, storage: Storage, at: float) -> tuple[VolumeStats, ...]:
    found = []
    for volume in pod.source.pod.spec.volumes:
        path = pod.source.volumes.get(volume.name, "")
        filesystem = storage.filesystems.get(path)
        if filesystem is None or volume.host_path is not None:
            continue
        usage = storage.counted.get(path) if path not in storage.mounted else None
        stats = _used(filesystem, usage, at) if usage is not None else _fs_stats(filesystem, at)
        found.append(VolumeStats(
            name=volume.name, pvc_ref=_claim(pod, volume), time=stats.time, available_bytes=stats.available_bytes,
            capacity_bytes=stats.capacity_bytes, used_bytes=stats.used_bytes, inodes=stats.inodes, inodes_free=stats.inodes_free,
            inodes_used=stats.inodes_used,
        ))
    return tuple(found)


def _claim(pod: PodUsage, volume: Volume) -> PVCReference | None:
    name = claim_name(pod.source.pod, volume)
    return PVCReference(name=name, namespace=pod.source.pod.metadata.namespace) if name else None


def _fs_stats(filesystem: Filesystem, at: float) -> FsStats:
    return FsStats(
        time=instant(at), available_bytes=filesystem.available_bytes, capacity_bytes=filesystem.capacity_bytes,
        used_bytes=filesystem.used_bytes, inodes_free=filesystem.inodes_free, inodes=filesystem.inodes,
        inodes_used=filesystem.inodes_used,
    )


def _used(filesystem: Filesystem, usage: DiskUsage, at: float) -> FsStats:
    """A part of a filesystem."""
    return FsStats(
        time=instant(at), available_bytes=filesystem.available_bytes, capacity_bytes=filesystem.capacity_bytes, used_bytes=usage.bytes,
        inodes_free=filesystem.inodes_free, inodes=filesystem.inodes, inodes_used=usage.inodes,
    )


def _runtime(storage: Storage, at: float) -> RuntimeStats:
    return RuntimeStats(
        image_fs=_fs_stats(storage.images, at) if storage.images else None,
        container_fs=_fs_stats(storage.node, at) if storage.node else None,
    )


def _network(name: str, usage: InterfaceUsage, at: float, interfaces: dict[str, InterfaceUsage]) -> NetworkStats:
    every = tuple(
        InterfaceStats(
            name=each, rx_bytes=found.rx_bytes, rx_errors=found.rx_errors, tx_bytes=found.tx_bytes, tx_errors=found.tx_errors)
        for each, found in sorted(interfaces.items()) if each != "lo"
    )
    return NetworkStats(
        time=instant(at), name=name, rx_bytes=usage.rx_bytes, rx_errors=usage.rx_errors, tx_bytes=usage.tx_bytes,
        tx_errors=usage.tx_errors, interfaces=every,
    )
