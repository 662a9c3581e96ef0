"""What is known of a Pod's containers at one moment: per name the newest record, and the one before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from kube.api.core_v1 import Container, Pod
from node_agent.runtime.model import ContainerRecord, ContainerState


class ProbeResults(Protocol):
    """What the probes have found, by container id. None: no such probe, or no result yet."""

    def liveness(self, container_id: str) -> bool | None: ...

    def startup(self, container_id: str) -> bool | None: ...

    def readiness(self, container_id: str) -> bool | None: ...


class PodView:
    def __init__(self, records: Iterable[ContainerRecord]) -> None:
        self.latest: dict[str, ContainerRecord] = {}
        self.previous: dict[str, ContainerRecord] = {}
        for record in sorted(records, key=lambda record: (record.config.attempt, record.created_at)):
            if (older := self.latest.get(record.name)) is not None:
                self.previous[record.name] = older
            self.latest[record.name] = record

    def running(self) -> list[ContainerRecord]:
        return [record for record in self.latest.values() if record.state is not ContainerState.EXITED]

    def next_attempt(self, name: str) -> int:
        record = self.latest.get(name)
        return record.config.attempt + 1 if record else 0


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


def should_restart(pod: Pod, container: Container, record: ContainerRecord | None) -> bool:
    """Whether a container that does not run is to be started (again)."""
    if record is None:
        return True
    policy = restart_policy(pod, container)
    return policy == "Always" or (policy == "OnFailure" and record.exit_code != 0)
