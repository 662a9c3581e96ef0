"""What is known of a Pod's containers at one moment: per name the newest record, and the one before; and what is to happen after an end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from kube.api.core_v1 import Container, ContainerRestartRule, EphemeralContainer, Pod
from node_agent.runtime.model import ContainerRecord, ContainerState

RESTART_ALL = "RestartAllContainers"


class ProbeResults(Protocol):
    """What the probes have found, by container id. None: no such probe, or no result yet."""

    def liveness(self, container_id: str) -> bool | None: ...

    def startup(self, container_id: str) -> bool | None: ...

    def readiness(self, container_id: str) -> bool | None: ...


class PodView:
    """`since`: when the sandbox came into being, None without one. Containers from before it are of an earlier life of the Pod."""

    def __init__(self, records: Iterable[ContainerRecord], since: float | None = 0.0) -> None:
        self.latest: dict[str, ContainerRecord] = {}
        self.previous: dict[str, ContainerRecord] = {}
        self.records = sorted(records, key=lambda record: (record.config.attempt, record.created_at))
        self.since = since
        for record in self.records:
            if (older := self.latest.get(record.name)) is not None:
                self.previous[record.name] = older
            self.latest[record.name] = record

    @property
    def sandbox_lost(self) -> bool:
        """There were containers, but what they shared is gone: the machine went down."""
        return self.since is None and bool(self.latest)

    def running(self) -> list[ContainerRecord]:
        return [record for record in self.latest.values() if record.state is not ContainerState.EXITED]

    def active(self, name: str) -> ContainerRecord | None:
        """Of this sandbox only."""
        record = self.latest.get(name)
        return record if record is not None and record.created_at >= (self.since or 0.0) else None

    def begun(self, pod: Pod) -> bool:
        """A container proper has been made in this sandbox: the init containers are done."""
        return any(self.active(container.name) is not None for container in pod.spec.containers)


def ephemeral_containers(pod: Pod) -> tuple[Container, ...]:
    return tuple(as_container(container) for container in pod.spec.ephemeral_containers)


def as_container(ephemeral: EphemeralContainer) -> Container:
    fields = msgspec.structs.asdict(ephemeral)
    del fields["target_container_name"]
    return Container(**fields)


def all_containers(pod: Pod) -> Iterator[Container]:
    """Init containers, containers, ephemeral ones."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from ephemeral_containers(pod)


def is_started(container: Container, record: ContainerRecord | None, probes: ProbeResults) -> bool:
    """Running, and its startup probe (if it has one) has succeeded."""
    if record is None or not record.running:
        return False
    return container.startup_probe is None or probes.startup(record.id) is True


def is_ready(container: Container, record: ContainerRecord | None, probes: ProbeResults) -> bool:
    if record is None or not is_started(container, record, probes):
        return False
    return container.readiness_probe is None or probes.readiness(record.id) is True


def restart_policy(pod: Pod, container: Container) -> str:
    return container.restart_policy or pod.spec.restart_policy or "Always"


def matching_rule(container: Container, exit_code: int) -> ContainerRestartRule | None:
    """The first of restartPolicyRules that speaks of this exit code."""
    for rule in container.restart_policy_rules:
        if (codes := rule.exit_codes) is None:
            continue
        if (codes.operator == "In" and exit_code in codes.values) or (codes.operator == "NotIn" and exit_code not in codes.values):
            return rule
    return None


def restarts_after(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether an end with this code is followed by another run: rules, then the container's policy, then the Pod's."""
    if container.restart_policy and (rule := matching_rule(container, exit_code)) and rule.action in ("Restart", RESTART_ALL):
        return True
    policy = restart_policy(pod, container)
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def restarts_all(container: Container, exit_code: int) -> bool:
    """Whether an end with this code begins the whole Pod anew."""
    rule = matching_rule(container, exit_code)
    return rule is not None and rule.action == RESTART_ALL


def should_restart(pod: Pod, container: Container, record: ContainerRecord | None) -> bool:
    """Whether a container that does not run is to be started (again)."""
    if record is None or record.state is ContainerState.CREATED:
        return True
    return record.state is ContainerState.EXITED and restarts_after(pod, container, record.exit_code)


def whole_pod_restarts(pod: Pod, view: PodView) -> bool:
    """A container has ended in a way that restarts them all."""
    return any(
        (record := view.latest.get(container.name)) is not None and record.state is ContainerState.EXITED
        and restarts_all(container, record.exit_code)
        for container in (*pod.spec.init_containers, *pod.spec.containers) if container.restart_policy_rules
    )


def can_restart_whole(pod: Pod) -> bool:
    return any(
        rule.action == RESTART_ALL
        for container in (*pod.spec.init_containers, *pod.spec.containers) for rule in container.restart_policy_rules
    )
