"""The patch that brings a Pod's status to the apiserver."""

from __future__ import annotations

from kube.api.core_v1 import PodCondition, PodStatus
from node_agent.kubelet.status_manager import status_patch


def conditions(*kinds: str) -> tuple[PodCondition, ...]:
    return tuple(PodCondition(type=kind, status="True") for kind in kinds)


def test_a_condition_that_no_longer_holds_is_taken_back_and_others_are_left_alone() -> None:
    sent = PodStatus(phase="Running", conditions=conditions("Ready", "PodResizeInProgress", "example.com/theirs"))

    patch = status_patch("uid", sent, PodStatus(phase="Running", conditions=conditions("Ready")))

    assert [entry for entry in patch["status"]["conditions"] if "$patch" in entry] == [{"$patch": "delete", "type": "PodResizeInProgress"}]
    assert [entry["type"] for entry in patch["status"]["conditions"]] == ["Ready", "PodResizeInProgress"]
