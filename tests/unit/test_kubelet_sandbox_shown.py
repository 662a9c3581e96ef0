"""A Pod shows its sandbox, address and condition, once its volumes stand; a kubelet that starts again takes nothing back."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from kube.api.core_v1 import PodCondition, PodStatus
from node_agent.kubelet.pod_state import PodState
from node_agent.runtime.model import Sandbox, SandboxConfig
from tests.support.pods import UID, Verdicts, pod

ADDRESS = "10.244.1.7"
SANDBOX = Sandbox(
    config=SandboxConfig(uid=UID, namespace="default", name="web", hostname="web", cgroup="/x", log_dir="/x"),
    netns_name="", net="", ipc="", uts="", shm="", created_at=1.0, address=ADDRESS)
BEFORE = PodStatus(
    phase="Pending", pod_ip=ADDRESS, conditions=(PodCondition(type="PodReadyToStartContainers", status="True"),))


def published(state: PodState) -> PodStatus:
    told: list[PodStatus] = []
    services: Any = SimpleNamespace(
        runtime=SimpleNamespace(sandbox=lambda uid: SANDBOX, containers=lambda uid: []), address=lambda pod: SANDBOX.address,
        statuses=SimpleNamespace(get=lambda uid: None, set=lambda pod, status: told.append(status)), probes=Verdicts(),
        config=SimpleNamespace(node_ip="172.30.0.12"), clock=SimpleNamespace(now=lambda: datetime(2026, 11, 21, tzinfo=UTC)),
        allocations=SimpleNamespace(conditions=lambda uid: ()))
    state.publish(services)
    return told[0]


@pytest.mark.parametrize(
    ("state", "ready", "address"),
    [
        pytest.param(PodState(pod()), "False", "", id="volumes are missing"),
        pytest.param(PodState(pod(), volumes={}), "True", ADDRESS, id="volumes stand"),
        pytest.param(PodState(pod(status=BEFORE)), "True", ADDRESS, id="a kubelet that starts again"),
    ],
)
def test_the_sandbox_is_shown_with_the_volumes(state: PodState, ready: str, address: str) -> None:
    status = published(state)

    shown = {condition.type: condition.status for condition in status.conditions}
    assert (shown["PodReadyToStartContainers"], status.pod_ip) == (ready, address)
