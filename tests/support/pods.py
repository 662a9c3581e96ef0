"""Pods, container records and probe verdicts for tests of the kubelet's pure parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kube.api.core_v1 import Container, Pod, PodSpec, PodStatus
from kube.api.meta_v1 import ObjectMeta
from node_agent.runtime.model import ContainerConfig, ContainerRecord, ContainerState

UID = "0a1b2c3d-0000-4000-8000-000000000001"


def container(name: str = "main", **more: Any) -> Container:
    return Container(**{"name": name, "image": "busybox", **more})


def sidecar(name: str = "side", **more: Any) -> Container:
    return container(name, restart_policy="Always", **more)


def pod(*containers: Container, init: tuple[Container, ...] = (), status: PodStatus | None = None, **spec: Any) -> Pod:
    return Pod(
        metadata=ObjectMeta(name="web", namespace="default", uid=UID, generation=1, labels={"app": "web"}, annotations={"note": "n"}),
        spec=PodSpec(containers=containers or (container(),), init_containers=init, **{"node_name": "node1", **spec}),
        status=status or PodStatus(phase="Pending"),
    )


def record(name: str = "main", *, attempt: int = 0, state: str = "running", exit_code: int = 0, **more: Any) -> ContainerRecord:
    config = ContainerConfig(pod_uid=UID, name=name, attempt=attempt, image="busybox", log_path="/dev/null", cgroup="/x")
    fields = {
        "id": f"{name}-{attempt}", "config": config, "image_id": "sha256:1", "state": ContainerState(state), "created_at": 1000.0 + attempt,
        "started_at": 1000.0 + attempt, "finished_at": 1001.0 + attempt if state == "exited" else 0.0, "exit_code": exit_code,
    }
    return ContainerRecord(**{**fields, **more})


@dataclass
class Verdicts:
    """Probe results by container id; what is not named has none."""

    live: dict[str, bool] = field(default_factory=dict)
    up: dict[str, bool] = field(default_factory=dict)
    ready: dict[str, bool] = field(default_factory=dict)

    def liveness(self, container_id: str) -> bool | None:
        return self.live.get(container_id)

    def startup(self, container_id: str) -> bool | None:
        return self.up.get(container_id)

    def readiness(self, container_id: str) -> bool | None:
        return self.ready.get(container_id)
