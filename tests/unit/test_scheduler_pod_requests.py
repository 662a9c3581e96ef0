"""What a Pod asks of a Node, containers of all sorts together."""

from __future__ import annotations

import pytest

from control_plane.scheduler.pod_info import PodInfo, normalized_image_name
from kube.api.core_v1 import ResourceRequirements
from tests.support.scheduling import container, pod


@pytest.mark.parametrize(("info", "cpu"), [
    pytest.param(pod(containers=[container(cpu="200m"), container(cpu="1")]), 1200, id="containers add up"),
    pytest.param(pod(containers=[container(cpu="1")], init_containers=[container(cpu="3"), container(cpu="2")]), 3000, id="largest init"),
    pytest.param(pod(containers=[container(cpu="1")], init_containers=[container(cpu="500m")]), 1000, id="init below the sum"),
    pytest.param(
        pod(containers=[container(cpu="1")], init_containers=[container(cpu="500m", restart_policy="Always")]), 1500, id="sidecar adds"),
    pytest.param(
        pod(containers=[container(cpu="1")],
            init_containers=[container(cpu="500m", restart_policy="Always"), container(cpu="2")]), 2500, id="init beside a sidecar"),
    pytest.param(
        pod(containers=[container(cpu="1")],
            init_containers=[container(cpu="2"), container(cpu="500m", restart_policy="Always")]), 2000, id="init before the sidecar"),
    pytest.param(pod(cpu="1", spec={"overhead": {"cpu": "250m"}}), 1250, id="overhead on top"),
    pytest.param(pod(cpu="1", spec={"resources": ResourceRequirements(requests={"cpu": "2"})}), 2000, id="the pod's own requests"),
])
def test_cpu_requests(info: PodInfo, cpu: int) -> None:
    assert info.requests["cpu"] == cpu


def test_containers_without_requests_count_when_scored() -> None:
    info = pod(containers=[container(cpu="1"), container()])

    assert info.requests == {"cpu": 1000}
    assert info.scoring_requests == {"cpu": 1100, "memory": 400 * 1024 * 1024}


@pytest.mark.parametrize(("name", "normalized"), [
    ("busybox", "busybox:latest"), ("busybox:1.36", "busybox:1.36"), ("localhost:5000/app", "localhost:5000/app:latest"),
])
def test_image_names(name: str, normalized: str) -> None:
    assert normalized_image_name(name) == normalized
