"""What the kubelet keeps in memory about one Pod, and what it works with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from kube.api.core_v1 import Node, Pod, PodCondition, PodStatus, Service
from kube.process.clock import Clock
from node_agent.kubelet.allocation import Allocations
from node_agent.kubelet.backoff import Backoff
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.container_config import PodPaths
from node_agent.kubelet.environment import PodFacts
from node_agent.kubelet.eviction.pressure import NodePressure
from node_agent.kubelet.host_ports import HostPorts
from node_agent.kubelet.image_manager import ImageManager
from node_agent.kubelet.objects import PodObjects
from node_agent.kubelet.pod_files import Resolver
from node_agent.kubelet.pod_status import OWN_CONDITIONS, Observed, Waiting, pod_status
from node_agent.kubelet.pod_view import PodView
from node_agent.kubelet.seams import Events, Network, PodRuntime
from node_agent.kubelet.status_manager import StatusManager
from node_agent.kubelet.termination_message import termination_message
from node_agent.probes.probe_manager import ProbeManager
from node_agent.runtime.model import ContainerState
from node_agent.runtime.sandbox import holds_pids
from node_agent.volumes.plugin import MountedVolume
from node_agent.volumes.pod_volumes import PodVolumes


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts that Pod workers share; made once, in app.py."""

    config: KubeletConfig
    runtime: PodRuntime
    network: Network
    images: ImageManager
    volumes: PodVolumes
    objects: PodObjects
    probes: ProbeManager
    statuses: StatusManager
    events: Events
    clock: Clock
    restarts: Backoff
    allocations: Allocations
    host_ports: HostPorts
    machine_resolver: Resolver
    node_memory: int
    allocatable: Mapping[str, str]
    own_node: Callable[[], Node | None]
    cluster_services: Callable[[], list[Service]]
    update_qos_groups: Callable[[], None]
    pressure: NodePressure = field(default_factory=NodePressure)
    check_runtime_class: Callable[[Pod], Awaitable[None]]

    def facts(self, pod: Pod) -> PodFacts:
        return PodFacts(
            pod=pod, pod_ip=self.address(pod), host_ip=self.config.node_ip, node_name=self.config.node_name, allocatable=self.allocatable,
        )

    def address(self, pod: Pod) -> str:
        if pod.spec.host_network:
            return self.config.node_ip
        sandbox = self.runtime.sandbox(pod.metadata.uid)
        return sandbox.address if sandbox else ""

    def paths(self, pod: Pod) -> PodPaths:
        return PodPaths(Path(self.config.root_dir), pod)

    def now(self) -> float:
        return self.clock.now().timestamp()


@dataclass(slots=True)
class PodState:
    """One Pod's, owned by its worker."""

    pod: Pod                                                            # as it is to run: with the resources it was promised
    static: bool = False                                                # of a file, not of the API
    waiting: dict[str, Waiting] = field(default_factory=dict)           # why a container does not run
    volumes: Mapping[str, MountedVolume] | None = None                  # set up, by name
    volume_failures: int = 0
    volumes_missed_at: float = 0.0                                      # since when, or since they were last told of together
    sandbox_failures: int = 0
    last_address: str = ""
    admitted: bool = False                                              # it fits: others have to reckon with it
    looked_again: bool = False
    failed: bool = False                                                # given up by the kubelet: reason and message say why
    reason: str = ""
    message: str = ""
    ended: bool = False                                                 # it was to end, and nothing of it runs any more
    stopping: asyncio.Event = field(default_factory=asyncio.Event)      # set once the Pod is to end; cuts hooks short
    hooked: set[str] = field(default_factory=set)                       # containers whose preStop hook has run
    evicted_grace_s: float | None = None                                # instead of the Pod's own grace period
    disruption: PodCondition | None = None                              # DisruptionTarget, from the kubelet
    announced: set[str] = field(default_factory=set)                    # containers whose Killing event was recorded
    messages: dict[str, str] = field(default_factory=dict)              # termination messages by container id
    refreshed_at: float = 0.0
    wanted: Pod = field(init=False)                                     # as the API has it
    shown_until: dict[str, float] = field(default_factory=dict)         # how long a failed start is shown before the next step
    quiet_until: dict[str, float] = field(default_factory=dict)         # until when it is not told again what a container misses

    def __post_init__(self) -> None:
        self.last_address = self.pod.status.pod_ip
        self.wanted = self.pod

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    def view(self, services: Services) -> PodView:
        sandbox = services.runtime.sandbox(self.uid)
        stands = sandbox is not None and holds_pids(sandbox)
        return PodView(services.runtime.containers(self.uid), sandbox.created_at if sandbox is not None and stands else None)

    def publish(self, services: Services) -> None:
        """Computes the status from what stands now and hands it to the status manager."""
        view = self.view(services)
        for record in (*view.latest.values(), *view.previous.values()):
            if record.state is ContainerState.EXITED and record.id not in self.messages:
                self.messages[record.id] = termination_message(record)
        # Upstream makes the sandbox after the volumes: who waits for them has none to show.
        held = services.statuses.get(self.uid)
        prepared = bool(view.latest) or self.volumes is not None or _was_prepared(held or self.pod.status)
        address = services.address(self.pod) if prepared or self.pod.spec.host_network else ""
        self.last_address = address or self.last_address
        sandbox = services.runtime.sandbox(self.uid)
        sandbox_ready = prepared and sandbox is not None and bool(address)
        observed = Observed(
            view=view, probes=services.probes, host_ip=services.config.node_ip, pod_ip=self.last_address, sandbox_ready=sandbox_ready,
            now=services.clock.now(), waiting=self.waiting, messages=self.messages, reason=self.reason, message=self.message,
            failed=self.failed, rejected=self.failed and not self.admitted and not view.latest, ended=self.ended,
            resize=services.allocations.conditions(self.uid),
            cgroup=sandbox.config.resources if sandbox is not None else None,
        )
        # The last status made here dates its conditions better than a watch that may lag behind.
        base = self.pod if held is None else _with_status(self.pod, held)
        status = pod_status(base, observed)
        services.statuses.set(self.pod, status if self.disruption is None else _with_condition(status, self.disruption))


def _was_prepared(status: PodStatus) -> bool:
    """A kubelet that starts again has not looked at the volumes yet."""
    return any(condition.type == "PodReadyToStartContainers" and condition.status == "True" for condition in status.conditions)


def _with_condition(status: PodStatus, condition: PodCondition) -> PodStatus:
    others = (each for each in status.conditions if each.type != condition.type)
    return replace(status, conditions=(*others, condition))


def _with_status(pod: Pod, held: PodStatus) -> Pod:
    foreign = [condition for condition in pod.status.conditions if condition.type not in OWN_CONDITIONS]
    own = [condition for condition in held.conditions if condition.type in OWN_CONDITIONS]
    return replace(pod, status=replace(held, conditions=(*own, *foreign)))
