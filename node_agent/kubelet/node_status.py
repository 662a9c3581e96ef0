"""What a Node says about itself, pure but for reading the machine. Reasons and messages follow pkg/kubelet/nodestatus."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from kube.api.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.quantity import Format, Quantity
from kube.process.clock import to_rfc3339
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.eviction.thresholds import MEMORY, NODE_FS, Amount
from node_agent.kubelet.runtime_classes import DECLARED_FEATURES, NODE_FEATURES, runtime_handlers
from node_agent.runtime.idmaps import user_namespaces_here
from node_agent.runtime.model import Image

NOTHING = Amount()
RUNTIME_VERSION = "kubonsai://0.1.0"
MAX_NAMES = 5
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PROVIDED_IP = "alpha.kubernetes.io/provided-node-ip"
UNINITIALIZED = Taint(key="node.cloudprovider.kubernetes.io/uninitialized", value="true", effect="NoSchedule")
PRESSURE = {    # condition -> reason and message without, and with it
    "MemoryPressure": (("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                       ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available")),
    "DiskPressure": (("KubeletHasNoDiskPressure", "kubelet has no disk pressure"), ("KubeletHasDiskPressure", "kubelet has disk pressure")),
    "PIDPressure": (("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                    ("KubeletHasInsufficientPID", "kubelet has insufficient PID available")),
}
NETWORK_MESSAGE = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node has, and what of it Pods may use."""

    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    memory_bytes: int


def read_machine(config: KubeletConfig) -> Machine:
    total = Quantity.parse(config.capacity_memory).value() if config.capacity_memory else _memory_bytes()
    disk = os.statvfs(config.root_dir)
    disk_bytes = Quantity.parse(config.capacity_disk).value() if config.capacity_disk else disk.f_blocks * disk.f_frsize
    capacity = {
        "cpu": config.capacity_cpu or str(os.cpu_count() or 1), "memory": f"{total // 1024}Ki", "pods": str(config.max_pods),
        "ephemeral-storage": f"{disk_bytes // 1024}Ki", **huge_pages(),
    }
    # What Pods cannot have: below it the node would end them.
    kept = {threshold.signal: threshold.value for threshold in config.eviction_thresholds() if threshold.hard}
    reserved = sum(Quantity.parse(amount).value() for name, amount in capacity.items() if name.startswith("huge"))
    memory = max(0, total - reserved - kept.get(MEMORY, NOTHING).of(total))
    usable = {"memory": f"{memory // 1024}Ki", "ephemeral-storage": str(max(0, disk_bytes - kept.get(NODE_FS, NOTHING).of(disk_bytes)))}
    return Machine(capacity, {**capacity, **usable}, total)


def huge_pages(directory: Path = Path("/sys/kernel/mm/hugepages")) -> dict[str, str]:
    """What the machine keeps as huge pages, by resource name: hugepages-2Mi."""
    found = {}
    for place in sorted(directory.glob("hugepages-*kB")):
        size = int(place.name.removeprefix("hugepages-").removesuffix("kB")) << 10
        pages = int(_first_line(str(place / "nr_hugepages")) or 0)
        found[f"hugepages-{Quantity.of(size, Format.BINARY_SI)}"] = str(Quantity.of(pages * size, Format.BINARY_SI))
    return found


def initial_node(config: KubeletConfig, status: NodeStatus, pod_cidr: str) -> Node:
    """The object a kubelet registers."""
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    labels = {
        "kubernetes.io/hostname": config.node_name, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": architecture, **config.node_labels,
    }
    taints = [parse_taint(text) for text in config.register_taints]
    if config.external_cloud:
        taints.append(UNINITIALIZED)
    annotations = {PROVIDED_IP: config.node_ip}
    metadata = ObjectMeta(name=config.node_name, labels=labels, annotations=annotations)
    spec = NodeSpec(taints=tuple(taints), pod_cidr=pod_cidr, pod_cidrs=(pod_cidr,) if pod_cidr else ())
    return Node(metadata=metadata, spec=spec, status=status)


def parse_taint(text: str) -> Taint:
    """key[=value]:Effect"""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return Taint(key=key, value=value, effect=effect)


def node_status(
    config: KubeletConfig, machine: Machine, held: NodeStatus, *, network_ready: bool, runtime_error: str, images: Sequence[Image],
    now: datetime, pressure: Collection[str] = (),
) -> NodeStatus:
    """`held` is the Node's present status: its conditions keep their transition times, others' conditions stay."""
    return replace(
        held, capacity=dict(machine.capacity), allocatable=dict(machine.allocatable), node_info=_system_info(config),
        addresses=node_addresses(config, held), images=_images(images, config.node_status_max_images),
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=config.port)),
        features=NODE_FEATURES, declared_features=DECLARED_FEATURES,
        runtime_handlers=runtime_handlers(user_namespaces=user_namespaces_here()),
        conditions=_conditions(held.conditions, network_ready=network_ready, runtime_error=runtime_error, now=now, pressure=pressure),
    )


def changed(before: NodeStatus, after: NodeStatus) -> bool:
    """Whether more than heartbeats differ."""
    return replace(before, conditions=_still(before.conditions)) != replace(after, conditions=_still(after.conditions))


def _still(conditions: Iterable[NodeCondition]) -> tuple[NodeCondition, ...]:
    return tuple(sorted((replace(condition, last_heartbeat_time="") for condition in conditions), key=lambda condition: condition.type))


def node_addresses(config: KubeletConfig, held: NodeStatus) -> tuple[NodeAddress, ...]:
    # With a cloud, its controller has the last word once it has spoken; but not about a machine that has another address since.
    own = (NodeAddress(type="InternalIP", address=config.node_ip), NodeAddress(type="Hostname", address=config.node_name))
    return held.addresses if config.external_cloud and own[0] in held.addresses else own


def _conditions(
    held: Sequence[NodeCondition], *, network_ready: bool, runtime_error: str, now: datetime, pressure: Collection[str],
) -> tuple[NodeCondition, ...]:
    if runtime_error or not network_ready:
        ready = NodeCondition(type="Ready", status="False", reason="KubeletNotReady", message=runtime_error or NETWORK_MESSAGE)
    else:
        ready = NodeCondition(type="Ready", status="True", reason="KubeletReady", message="kubelet is posting ready status")
    wanted = (
        *(NodeCondition(type=kind, status=str(kind in pressure), reason=said[kind in pressure][0], message=said[kind in pressure][1])
          for kind, said in PRESSURE.items()),
        ready,
    )
    stamp, by_type = to_rfc3339(now), {condition.type: condition for condition in held}
    own = []
    for condition in wanted:
        before = by_type.pop(condition.type, None)
        same = before is not None and before.status == condition.status and before.last_transition_time
        since = before.last_transition_time if same and before else stamp
        own.append(replace(condition, last_heartbeat_time=stamp, last_transition_time=since))
    return (*by_type.values(), *own)


def _images(images: Sequence[Image], most: int = 50) -> tuple[ContainerImage, ...]:
    """The largest first; digests before tags. Limits follow nodeStatusMaxImages and MaxNamesPerImageInNodeStatus."""
    named = [
        ContainerImage(names=(*image.digests, *image.tags)[:MAX_NAMES], size_bytes=image.size) for image in images if image.digests
    ]
    return tuple(sorted(named, key=lambda image: -(image.size_bytes or 0))[:None if most < 0 else most])


def _system_info(config: KubeletConfig) -> NodeSystemInfo:
    return NodeSystemInfo(
        machine_id=_first_line("/etc/machine-id"), system_uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, config.node_name)),
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"), kernel_version=platform.release(), os_image=_os_image(),
        container_runtime_version=RUNTIME_VERSION, kubelet_version=config.kubernetes_version, operating_system="linux",
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
    )


def _os_image() -> str:
    for line in _lines("/etc/os-release"):
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _memory_bytes() -> int:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _first_line(path: str) -> str:
    return next(iter(_lines(path)), "")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
