"""What a container's environment lacks: looked for often, told seldom, and told at once when it is something else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kube.api.core_v1 import ConfigMapKeySelector, EnvVar, EnvVarSource
from node_agent.kubelet.environment import PodFacts
from node_agent.kubelet.pod_state import PodState
from node_agent.kubelet.pod_status import Waiting
from node_agent.kubelet.pod_sync import LOOK_AGAIN_S, NotStartedError, _look_quietly
from tests.support.pods import container, pod

ONE = EnvVar(name="ONE", value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="settings", key="one")))
ASKING = container(env=(ONE,))
MISSING = 'configmap "settings" not found'


def services(data: dict[str, bytes] | None, now: float = 0.0) -> Any:
    async def config_map_text(namespace: str, name: str) -> dict[str, bytes] | None:
        return data

    return SimpleNamespace(
        now=lambda: now, objects=SimpleNamespace(config_map_text=config_map_text, secret=config_map_text), cluster_services=list,
        facts=lambda pod: PodFacts(pod=pod, pod_ip="", host_ip="", node_name="", allocatable={}),
    )


def waiting() -> PodState:
    state = PodState(pod(ASKING))
    state.waiting[ASKING.name] = Waiting("CreateContainerConfigError", MISSING)
    state.quiet_until[ASKING.name] = LOOK_AGAIN_S
    return state


async def test_what_is_still_missing_ends_the_look_without_a_word() -> None:
    with pytest.raises(NotStartedError) as caught:
        await _look_quietly(services(None), waiting(), ASKING)

    assert caught.value.waiting.message == MISSING
    assert caught.value.retry_s is not None
    assert caught.value.retry_s < LOOK_AGAIN_S


@pytest.mark.parametrize(
    ("data", "now"),
    [
        pytest.param({"one": b"1"}, 0.0, id="it has come"),
        pytest.param({"two": b"2"}, 0.0, id="something else is missing"),
        pytest.param(None, LOOK_AGAIN_S, id="it was told long ago"),
    ],
)
async def test_the_container_is_tried_when_there_is_something_to_tell(data: dict[str, bytes] | None, now: float) -> None:
    await _look_quietly(services(data, now), waiting(), ASKING)
