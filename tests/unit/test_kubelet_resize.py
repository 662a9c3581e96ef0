"""What a node promises, what it defers, and in which order cgroups follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from kube.api.core_v1 import Container, ContainerResizePolicy, Pod, ResourceRequirements
from node_agent.kubelet.allocation import Allocations
from node_agent.kubelet.pod_view import PodView
from node_agent.kubelet.resize import changes, plan
from node_agent.kubelet.resources import container_amounts, container_resources, pod_resources
from node_agent.runtime.model import ContainerRecord, Resources
from tests.support.pods import container, pod, record

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Heard:
    said: list[tuple[str, str]] = field(default_factory=list)

    def event(self, about: object, type_: str, reason: str, message: str) -> None:
        self.said.append((reason, message))


def sized(cpu: str, memory: str, name: str = "main", **more: Any) -> Container:
    amounts = {"cpu": cpu, "memory": memory}
    return container(name, resources=ResourceRequirements(requests=amounts, limits=amounts), **more)


def named(uid: str, *containers: Container, generation: int = 1, **spec: Any) -> Pod:
    made = pod(*containers, **spec)
    return replace(made, metadata=replace(made.metadata, uid=uid, name=uid, generation=generation))


def allocations(heard: Heard) -> tuple[Allocations, list[str]]:
    woken: list[str] = []
    made = Allocations({"cpu": "2", "memory": "4Gi"}, heard, lambda: NOW, lambda _uid: {})
    made.wake = woken.append
    return made, woken


def test_a_resize_that_fits_is_promised_and_told() -> None:
    heard = Heard()
    held, _ = allocations(heard)
    held.consider(named("a", sized("1", "1Gi")))

    allocated = held.consider(named("a", sized("1500m", "1Gi"), generation=2))

    assert container_amounts(allocated, allocated.spec.containers[0]).cpu_limit == 1500
    (condition,) = held.conditions("a")
    assert (condition.type, condition.status, condition.reason, condition.observed_generation) == ("PodResizeInProgress", "True", "", 2)
    summary = '{"containers":[{"name":"main","resources":{"limits":{"cpu":"1500m","memory":"1Gi"},"requests":' \
              '{"cpu":"1500m","memory":"1Gi"}}}],"generation":2}'
    assert heard.said == [("ResizeStarted", f"Pod resize started: {summary}")]

    held.actuated(allocated)

    assert (held.conditions("a"), heard.said[-1]) == ((), ("ResizeCompleted", f"Pod resize completed: {summary}"))


def test_the_same_amount_in_other_words_is_no_resize() -> None:
    heard = Heard()
    held, _ = allocations(heard)
    held.consider(named("a", sized("1", "1Gi")))

    allocated = held.consider(named("a", sized("1000m", "1024Mi"), generation=2))

    assert allocated.spec.containers[0].resources == sized("1000m", "1024Mi").resources
    assert (held.conditions("a"), heard.said) == ((), [])


def test_a_resize_without_room_waits_until_another_pod_goes() -> None:
    heard = Heard()
    held, woken = allocations(heard)
    held.consider(named("a", sized("1", "1Gi")))
    held.consider(named("b", sized("500m", "1Gi")))
    wanted = named("a", sized("1800m", "1Gi"), generation=2)

    allocated = held.consider(wanted)
    held.consider(wanted)

    assert container_amounts(allocated, allocated.spec.containers[0]).cpu_limit == 1000
    (condition,) = held.conditions("a")
    text = "Node didn't have enough resource: cpu, requested: 1800, used: 500, capacity: 2000"
    assert (condition.type, condition.reason, condition.message, condition.observed_generation) == ("PodResizePending", "Deferred", text, 2)
    assert [reason for reason, _ in heard.said] == ["ResizeDeferred"]
    assert heard.said[0][1].startswith("Pod resize Deferred: {") and text in heard.said[0][1]

    held.release("b")

    assert woken == ["a"]
    assert held.consider(wanted) == wanted
    assert [condition.type for condition in held.conditions("a")] == ["PodResizeInProgress"]


def test_promises_outlive_the_kubelet() -> None:
    kept = {"main": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}}
    held = Allocations({"cpu": "2", "memory": "4Gi"}, Heard(), lambda: NOW, lambda uid: kept if uid in ("a", "b") else {})
    wanted = named("a", sized("1500m", "1Gi"), generation=2)

    assert held.recall(wanted).spec.containers[0].resources == ResourceRequirements(requests={"cpu": "1"}, limits={"cpu": "1"})
    held.recall(named("b", sized("1", "1Gi")))
    held.recall(named("new", sized("1", "1Gi")))                 # nobody promised it anything yet
    held.consider(wanted)

    assert [condition.message for condition in held.conditions("a")] == [
        "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"]


def running(wanted: Pod, container_: Container) -> ContainerRecord:
    found = record(container_.name)
    amounts, resources = container_amounts(wanted, container_), container_resources(wanted, container_)
    return replace_config(found, amounts=amounts, resources=resources)


def replace_config(found: ContainerRecord, **more: Any) -> ContainerRecord:
    found.config = replace(found.config, **more)
    return found


def steps(before: Pod, after: Pod) -> list[tuple[str, Resources]]:
    view = PodView([running(before, each) for each in before.spec.containers])
    found = changes(after, view)
    return [
        (step.change.container.name if step.change else "pod", step.resources)
        for step in plan(pod_resources(before), pod_resources(after), found, after)
    ]


def test_a_pod_grows_before_its_containers_and_they_shrink_before_they_grow() -> None:
    before = pod(sized("500m", "100Mi", "one"), sized("500m", "100Mi", "two"))
    after = pod(sized("800m", "300Mi", "one"), sized("400m", "50Mi", "two"))

    assert [who for who, _ in steps(before, after)] == ["pod", "two", "one", "pod", "pod", "two", "one"]
    assert steps(before, after)[0] == ("pod", Resources(memory_limit=350 << 20))
    assert steps(before, after)[1] == ("two", Resources(memory_limit=50 << 20))
    assert steps(before, after)[3:5] == [("pod", Resources(cpu_quota_us=120_000)), ("pod", Resources(cpu_shares=1228))]


def test_a_pod_shrinks_after_its_containers() -> None:
    before, after = pod(sized("500m", "100Mi")), pod(sized("250m", "100Mi"))

    assert steps(before, after) == [
        ("main", Resources(cpu_shares=256, cpu_quota_us=25_000)), ("pod", Resources(cpu_shares=256)),
        ("pod", Resources(cpu_quota_us=25_000)),
    ]


def test_a_container_restarts_only_for_what_it_says_so() -> None:
    policies = (ContainerResizePolicy(resource_name="memory", restart_policy="RestartContainer"),)
    before = pod(sized("500m", "100Mi", resize_policy=policies))
    more_cpu, more_memory = pod(sized("1", "100Mi", resize_policy=policies)), pod(sized("500m", "200Mi", resize_policy=policies))
    view = PodView([running(before, before.spec.containers[0])])

    assert [change.restarts for change in changes(more_cpu, view)] == [False]
    assert [change.restarts for change in changes(more_memory, view)] == [True]
    assert changes(before, view) == []
