"""Eviction's rules: thresholds, what they ask for and when, whom to end first, what is told, who is not taken."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kube.api.core_v1 import Container, EmptyDirVolumeSource, Pod, ResourceRequirements, Toleration, Volume
from kube.process.config import ConfigError
from node_agent.kubelet.eviction import thresholds as names
from node_agent.kubelet.eviction.local_storage import excess, is_limited
from node_agent.kubelet.eviction.messages import node_low
from node_agent.kubelet.eviction.pressure import NodePressure
from node_agent.kubelet.eviction.ranking import rank
from node_agent.kubelet.eviction.signals import Observation
from node_agent.kubelet.eviction.thresholds import Amount, Threshold, default_hard, parse_thresholds
from node_agent.kubelet.eviction.watcher import Watcher
from node_agent.kubelet.stats.cgroup_usage import CgroupUsage
from node_agent.kubelet.stats.collector import ContainerUsage, PodUsage, Rated, Storage
from node_agent.kubelet.stats.disk_usage import DiskUsage
from node_agent.kubelet.stats.sources import ContainerSource, PodSource
from tests.support.pods import container, pod

MIB = 1 << 20
HARD = Threshold(names.MEMORY, Amount(100))
SOFT = Threshold(names.MEMORY, Amount(200), grace_s=30.0)


def memory(available: int) -> dict[str, Observation]:
    return {names.MEMORY: Observation(1000, available)}


def asking(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, name: str = "main") -> Container:
    return container(name, resources=ResourceRequirements(requests=requests or {}, limits=limits or {}))


def named(name: str, *containers: Container, priority: int = 0, **spec: Any) -> Pod:
    made = pod(*containers, priority=priority, **spec)
    return msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, name=name, uid=name))


def using(of: Pod, memory_bytes: int = 0, processes: int = 1, volumes: dict[str, str] | None = None) -> PodUsage:
    rated = Rated(CgroupUsage(0.0, 0, memory_bytes, memory_bytes, 0, 0, 0, None, processes, 0, {}), None)
    sources = tuple(
        ContainerSource(each.name, each.name, "busybox", "/c", 0.0, f"/layer/{each.name}", f"/logs/{each.name}")
        for each in of.spec.containers
    )
    source = PodSource(of, "/p", 0.0, sources, volumes or {}, "", "/pod", "/logs")
    return PodUsage(source, rated, tuple(ContainerUsage(each, rated) for each in sources))


def disk(**counted: int) -> Storage:
    """Bytes by path, with _ for /."""
    return Storage(None, None, {path.replace("_", "/"): DiskUsage(used, 1) for path, used in counted.items()})


def test_thresholds_as_configured() -> None:
    found = parse_thresholds(
        {"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "0%"}, {"memory.available": "1Gi"},
        {"memory.available": 90.0}, {"memory.available": "50Mi"},
    )

    assert found == (
        Threshold(names.MEMORY, Amount(100 * MIB), 0.0, Amount(50 * MIB)), Threshold(names.NODE_FS, Amount(share=0.1)),
        Threshold(names.MEMORY, Amount(1024 * MIB), 90.0, Amount(50 * MIB)),
    )


@pytest.mark.parametrize(("arguments", "text"), [
    (({"memory.free": "1Gi"}, {}, {}, {}), "unsupported eviction signal memory.free"),
    (({"memory.available": "many"}, {}, {}, {}), "must be a quantity or a percentage, got 'many'"),
    (({"memory.available": "101%"}, {}, {}, {}), "must be between 0% and 100%"),
    (({"memory.available": "-1"}, {}, {}, {}), "must not be negative"),
    (({}, {"memory.available": "1Gi"}, {}, {}), "grace period must be specified for the soft eviction threshold memory.available"),
    (({}, {}, {"memory.available": 1.0}, {}), "memory.available has no soft eviction threshold"),
])
def test_wrong_thresholds_are_told(arguments: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text.replace(".", r"\.")):
        parse_thresholds(*arguments)


def test_a_shared_disk_counts_when_hardly_anything_is_left() -> None:
    assert default_hard(own_disk=True)["nodefs.available"] == "10%"
    assert default_hard(own_disk=False)["nodefs.available"] == "256Mi"
    assert default_hard(own_disk=False)["memory.available"] == "100Mi"


def test_a_hard_threshold_asks_at_once_and_its_condition_stays_a_while() -> None:
    watcher = Watcher([HARD], transition_period_s=300.0)

    assert watcher.look(memory(100), 0.0) == []
    assert watcher.look(memory(99), 10.0) == [HARD]
    assert watcher.conditions == {"MemoryPressure"}
    assert watcher.look(memory(500), 20.0) == []
    assert watcher.conditions == {"MemoryPressure"}
    watcher.look(memory(500), 311.0)
    assert watcher.conditions == frozenset()


def test_a_soft_threshold_asks_after_its_grace_period() -> None:
    watcher = Watcher([SOFT], transition_period_s=0.0)

    assert watcher.look(memory(150), 0.0) == []
    assert watcher.conditions == {"MemoryPressure"}
    assert watcher.look(memory(150), 29.0) == []
    assert watcher.look(memory(150), 30.0) == [SOFT]
    assert watcher.look(memory(250), 40.0) == []
    assert watcher.look(memory(150), 50.0) == []            # the time begins anew


def test_what_was_met_stays_met_until_more_is_reclaimed() -> None:
    threshold = Threshold(names.MEMORY, Amount(100), 0.0, Amount(50))
    watcher = Watcher([threshold], transition_period_s=0.0)

    assert watcher.look(memory(120), 0.0) == []
    assert watcher.look(memory(90), 10.0) == [threshold]
    assert watcher.look(memory(120), 20.0) == [threshold]
    assert watcher.look(memory(150), 30.0) == []


def test_memory_comes_first() -> None:
    full = Threshold(names.NODE_FS, Amount(share=0.1))
    watcher = Watcher([full, HARD], transition_period_s=0.0)

    found = watcher.look({names.NODE_FS: Observation(1000, 99), **memory(1)}, 0.0)

    assert found == [HARD, full]
    assert watcher.conditions == {"DiskPressure", "MemoryPressure"}


def test_who_uses_more_than_asked_for_goes_first_then_by_priority_then_by_excess() -> None:
    small = named("small", asking({"memory": "10Mi"}))
    big = named("big", asking({"memory": "10Mi"}))
    important = named("important", asking({"memory": "10Mi"}), priority=1000)
    modest = named("modest", asking({"memory": "500Mi"}), priority=-5)
    unknown = named("unknown")
    usages = {"small": using(small, 20 * MIB), "big": using(big, 90 * MIB), "important": using(important, 200 * MIB),
              "modest": using(modest, 400 * MIB)}

    order = rank(names.MEMORY, [important, modest, small, big, unknown], usages, disk())

    assert [each.metadata.name for each in order] == ["unknown", "big", "small", "important", "modest"]


def test_process_ids_are_taken_from_the_least_important_with_the_most() -> None:
    few, many, important = named("few"), named("many"), named("important", priority=1)
    usages = {"few": using(few, processes=2), "many": using(many, processes=200), "important": using(important, processes=900)}

    order = rank(names.PIDS, [important, few, many], usages, disk())

    assert [each.metadata.name for each in order] == ["many", "few", "important"]


def test_disk_is_layers_logs_and_volumes_that_end_with_the_pod() -> None:
    volumes = (Volume(name="scratch", empty_dir=EmptyDirVolumeSource()),)
    writer, reader = named("writer", volumes=volumes), named("reader")
    usages = {"writer": using(writer, volumes={"scratch": "/vol"}), "reader": using(reader)}

    order = rank(names.NODE_FS, [reader, writer], usages, disk(_vol=5 * MIB, _logs=MIB))

    assert [each.metadata.name for each in order] == ["writer", "reader"]


def test_the_message_names_threshold_rest_and_container() -> None:
    hog = named("hog", asking({"memory": "10Mi"}))

    text = node_low("memory", [Threshold(names.MEMORY, Amount(100 * MIB))], {names.MEMORY: Observation(512 * MIB, 70 * MIB)}, hog,
                    using(hog, 300 * MIB), disk())

    assert text == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 70Mi. Container main was using 300Mi, "
        "request is 10Mi, has larger consumption of memory. ")


@pytest.mark.parametrize(("made", "counted", "text"), [
    pytest.param(
        named("a", volumes=(Volume(name="x", empty_dir=EmptyDirVolumeSource(size_limit="1Mi")),)), {"_vol": 2 * MIB},
        'Usage of EmptyDir volume "x" exceeds the limit "1Mi". ', id="emptyDir"),
    pytest.param(
        named("b", asking(limits={"ephemeral-storage": "1Mi"}), volumes=(Volume(name="x", empty_dir=EmptyDirVolumeSource()),)),
        {"_vol": 2 * MIB}, "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ", id="Pod"),
    pytest.param(
        named("c", asking(limits={"ephemeral-storage": "1Mi"}), asking(limits={"ephemeral-storage": "8Mi"}, name="other")),
        {"_layer_main": 2 * MIB}, 'Container main exceeded its local ephemeral storage limit "1Mi". ', id="container"),
    pytest.param(named("d", asking(limits={"ephemeral-storage": "4Mi"})), {"_layer_main": 2 * MIB}, "", id="within its limit"),
    pytest.param(
        named("e", volumes=(Volume(name="x", empty_dir=EmptyDirVolumeSource(size_limit="0")),)), {"_vol": 2 * MIB}, "", id="no limit"),
])
def test_pods_beyond_their_own_limits(made: Pod, counted: dict[str, int], text: str) -> None:
    assert is_limited(made)
    found = excess(using(made, volumes={"x": "/vol"}), disk(**counted))
    assert (found.message if found else "") == text


def test_a_pod_without_limits_is_not_counted() -> None:
    assert not is_limited(named("a", asking({"memory": "1Mi"}), volumes=(Volume(name="x", empty_dir=EmptyDirVolumeSource()),)))


TOLERANT = Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists", effect="NoSchedule")


@pytest.mark.parametrize(("conditions", "made", "taken"), [
    pytest.param((), named("a"), True, id="a node without pressure"),
    pytest.param(("MemoryPressure",), named("a"), False, id="best effort, memory"),
    pytest.param(("MemoryPressure",), named("a", asking({"memory": "1Mi"})), True, id="burstable, memory"),
    pytest.param(("MemoryPressure",), named("a", tolerations=(TOLERANT,)), True, id="best effort that tolerates it"),
    pytest.param(("DiskPressure",), named("a", asking({"memory": "1Mi"}), tolerations=(TOLERANT,)), False, id="disk"),
    pytest.param(("DiskPressure", "MemoryPressure"), named("a", asking({"memory": "1Mi"})), False, id="both"),
    pytest.param(("DiskPressure",), named("a", priority=2_000_000_000), True, id="critical"),
])
def test_who_is_taken_by_a_node_under_pressure(conditions: tuple[str, ...], made: Pod, taken: bool) -> None:
    refusal = NodePressure(frozenset(conditions)).refusal(made)

    assert (refusal is None) is taken
    if refusal is not None:
        assert (refusal.reason, refusal.message) == ("Evicted", f"The node had condition: [{' '.join(conditions)}]. ")
