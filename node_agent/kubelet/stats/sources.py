"""Whom to measure: what the kubelet knows about its node and its Pods, taken together in the event loop, read by a thread later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kube.api.core_v1 import Pod
from kube.apimachinery.quantity import Quantity
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.network import host_veth_name
from node_agent.kubelet.node_status import Machine
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_view import PodView
from node_agent.runtime.model import ContainerRecord

VOLUMES = "volumes"         # pods/UID/volumes/kubernetes.io~KIND/NAME


@dataclass(frozen=True, slots=True)
class ContainerSource:
    name: str
    id: str
    image: str
    cgroup: str
    started_at: float
    layer: str              # what the container wrote into its root filesystem
    logs: str


@dataclass(frozen=True, slots=True)
class PodSource:
    pod: Pod
    cgroup: str
    started_at: float
    containers: tuple[ContainerSource, ...]
    volumes: Mapping[str, str]      # path by name, as far as known
    link: str                       # the outer end of the Pod's link; "" where it has the node's network
    directory: str
    logs: str


@dataclass(frozen=True, slots=True)
class NodeSource:
    name: str
    cgroup: str
    whole_cgroup: str       # with all agents and their limits; "": agents are in groups below `cgroup`, perhaps without controllers
    memory_bytes: int
    cpu_cores: str
    root_dir: str
    images_dir: str
    disk_bytes: int         # the node's own budget; 0: what its filesystem has
    own_memory: bool        # the node claims less than the machine has


def node_source(config: KubeletConfig, machine: Machine) -> NodeSource:
    disk = Quantity.parse(config.capacity_disk).value() if config.capacity_disk else 0
    return NodeSource(
        name=config.node_name, cgroup=config.cgroup_parent, whole_cgroup=config.node_cgroup,
        memory_bytes=machine.memory_bytes, cpu_cores=machine.capacity["cpu"],
        root_dir=config.root_dir, images_dir=config.images_dir, disk_bytes=disk, own_memory=bool(config.capacity_memory),
    )


def pod_sources(services: Services, states: Iterable[PodState]) -> list[PodSource]:
    """Every Pod that has a sandbox."""
    found = []
    for state in states:
        sandbox = services.runtime.sandbox(state.uid)
        if sandbox is None:
            continue
        paths, root = services.paths(state.pod), Path(services.config.root_dir)
        running = [record for record in PodView(services.runtime.containers(state.uid)).latest.values() if record.running]
        found.append(PodSource(
            pod=state.pod, cgroup=sandbox.config.cgroup, started_at=sandbox.created_at,
            containers=tuple(_container(record, root, paths.logs) for record in running),
            volumes=_volumes(state, running, paths.directory),
            link="" if state.pod.spec.host_network else host_veth_name(state.uid), directory=str(paths.directory), logs=str(paths.logs),
        ))
    return found


def _volumes(state: PodState, running: Iterable[ContainerRecord], directory: Path) -> dict[str, str]:
    if state.volumes is not None:
        return {name: volume.path for name, volume in state.volumes.items()}
    # An earlier kubelet set them up: by name on the disk, a claim's by what its containers have mounted.
    found = {path.name: str(path) for path in directory.glob(f"{VOLUMES}/kubernetes.io~*/*")}
    mounted = {record.name: {mount.target: mount.source for mount in record.config.mounts} for record in running}
    for container in (*state.pod.spec.init_containers, *state.pod.spec.containers):
        for mount in container.volume_mounts:
            source = mounted.get(container.name, {}).get(mount.mount_path)
            if source is not None and not mount.sub_path and not mount.sub_path_expr:
                found[mount.name] = source
    return found


def _container(record: ContainerRecord, root: Path, logs: Path) -> ContainerSource:
    return ContainerSource(
        name=record.name, id=record.id, image=record.image or record.config.image, cgroup=record.config.cgroup,
        started_at=record.started_at, layer=str(root / "containers" / record.id / "upper"), logs=str(logs / record.name),
    )
