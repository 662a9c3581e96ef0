"""What each kind of object costs a quota, and what it must say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from control_plane.quota.amounts import listed, without_zeros
from control_plane.quota.evaluator import count_name, counted
from control_plane.quota.registry import UNCOUNTED, Evaluators
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PODS, SERVICES, CLAIMS = (GroupResource("", name) for name in ("pods", "services", "persistentvolumeclaims"))
DEVICE_CLAIMS = GroupResource("resource.k8s.io", "resourceclaims")


class Cards:
    """One device class, `gpu`, which calls itself example.com/card; Pods and claims as given."""

    def __init__(self, *pods: JsonObject, claims: Iterable[JsonObject] = ()) -> None:
        self._pods = {pod["metadata"]["name"]: pod for pod in pods}
        self._claims = [*claims]

    def device_class_of(self, extended_resource: str) -> str:
        return "gpu" if extended_resource in ("example.com/card", "deviceclass.resource.kubernetes.io/gpu") else ""

    def extended_resource_of(self, device_class: str) -> str:
        return "example.com/card" if device_class == "gpu" else ""

    def pod(self, namespace: str, name: str) -> JsonObject | None:
        return self._pods.get(name)

    def claims_for_extended(self, namespace: str) -> Iterable[JsonObject]:
        return self._claims


def container(name: str = "c", restart: str = "", limits: JsonObject | None = None, **requests: str) -> JsonObject:
    resources = {"requests": requests, "limits": limits or {}}
    return {"name": name, "resources": resources, **({"restartPolicy": restart} if restart else {})}


def pod(*containers: JsonObject, status: JsonObject | None = None, metadata: JsonObject | None = None, **spec: Any) -> JsonObject:
    return {"metadata": {"name": "p", **(metadata or {})}, "spec": {"containers": [*containers], **spec}, "status": status or {}}


def cost(resource: GroupResource, obj: JsonObject, surroundings: Cards | None = None) -> str:
    return listed(without_zeros(Evaluators(surroundings or Cards()).of(resource).usage(obj, NOW)))


def compute(obj: JsonObject) -> dict[str, str]:
    """Of a Pod's cost what it requests and what it is limited to."""
    usage = Evaluators(Cards()).of(PODS).usage(obj, NOW)
    return {name: str(amount) for name, amount in usage.items() if name.startswith(("requests.", "limits."))}


OTHERS: dict[str, Any] = {
    "ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi", "example.com/gpu": "2", "deviceclass.resource.kubernetes.io/x": "1"}
NATIVE: dict[str, Any] = {"kubernetes.io/batteries": "2"}


@pytest.mark.parametrize(("obj", "expected"), [
    pytest.param(pod(container()), "count/pods=1,pods=1", id="asks for nothing"),
    pytest.param(
        pod(container(cpu="100m", memory="1Gi"), container("d", cpu="1")),
        "count/pods=1,cpu=1100m,memory=1Gi,pods=1,requests.cpu=1100m,requests.memory=1Gi", id="two containers"),
    pytest.param(
        pod(container(limits={"cpu": "2", "ephemeral-storage": "1Gi"})),
        "count/pods=1,limits.cpu=2,limits.ephemeral-storage=1Gi,pods=1", id="limits alone"),
    pytest.param(
        pod(container(**OTHERS)),
        "count/pods=1,ephemeral-storage=1Gi,hugepages-2Mi=4Mi,pods=1,requests.deviceclass.resource.kubernetes.io/x=1,"
        "requests.ephemeral-storage=1Gi,requests.example.com/gpu=2,requests.hugepages-2Mi=4Mi", id="other resources"),
    pytest.param(pod(container(**NATIVE)), "count/pods=1,pods=1", id="of Kubernetes' own domain"),
    pytest.param(pod(container(cpu="1"), status={"phase": "Succeeded"}), "count/pods=1", id="succeeded"),
    pytest.param(pod(container(cpu="1"), status={"phase": "Failed"}), "count/pods=1", id="failed"),
    pytest.param(
        pod(container(), metadata={"deletionTimestamp": "2026-11-21T11:00:00Z", "deletionGracePeriodSeconds": 30}),
        "count/pods=1", id="should be gone"),
    pytest.param(
        pod(container(), metadata={"deletionTimestamp": "2026-11-21T11:59:50Z", "deletionGracePeriodSeconds": 30}),
        "count/pods=1,pods=1", id="on its way out"),
])
def test_what_a_pod_costs(obj: JsonObject, expected: str) -> None:
    assert cost(PODS, obj) == expected


@pytest.mark.parametrize(("obj", "expected"), [
    pytest.param(
        pod(container(cpu="1"), initContainers=[container("i", cpu="3"), container("j", cpu="2")]), {"requests.cpu": "3"}, id="init"),
    pytest.param(
        pod(container(cpu="2"), initContainers=[container("i", cpu="1")]), {"requests.cpu": "2"}, id="init asks for less"),
    pytest.param(
        pod(container(cpu="1"), initContainers=[container("s", "Always", cpu="2"), container("i", cpu="3")]),
        {"requests.cpu": "5"}, id="init beside a sidecar"),
    pytest.param(
        pod(container(cpu="4"), initContainers=[container("i", cpu="3"), container("s", "Always", cpu="2")]),
        {"requests.cpu": "6"}, id="sidecar after init"),
    pytest.param(
        pod(container(cpu="1", limits={"memory": "1Gi"}), overhead={"cpu": "100m", "memory": "10Mi"}),
        {"requests.cpu": "1100m", "requests.memory": "10Mi", "limits.memory": "1034Mi"}, id="overhead"),
    pytest.param(
        pod(container(cpu="1", memory="1Gi"), resources={"requests": {"cpu": "4"}, "limits": {"cpu": "8"}}),
        {"requests.cpu": "4", "requests.memory": "1Gi", "limits.cpu": "8"}, id="of the Pod as a whole"),
    pytest.param(
        pod(container(cpu="1"), status={"containerStatuses": [{"name": "c", "allocatedResources": {"cpu": "2"}}]}),
        {"requests.cpu": "2"}, id="shrinking, not yet done"),
    pytest.param(
        pod(container(cpu="3"), status={"containerStatuses": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]}),
        {"requests.cpu": "3"}, id="growing"),
    pytest.param(
        pod(container(cpu="9", limits={"cpu": "9"}), status={
            "conditions": [{"type": "PodResizePending", "reason": "Infeasible"}],
            "containerStatuses": [{"name": "c", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}}}]}),
        {"requests.cpu": "2", "limits.cpu": "3"}, id="growth that cannot be"),
])
def test_what_a_pod_asks_for_as_a_whole(obj: JsonObject, expected: dict[str, str]) -> None:
    assert compute(obj) == expected


@pytest.mark.parametrize(("obj", "names", "expected"), [
    pytest.param(pod(container(cpu="1")), ["pods", "requests.cpu", "cpu"], "", id="said"),
    pytest.param(pod(container()), ["requests.ephemeral-storage", "pods"], "", id="need not be said"),
    pytest.param(
        pod(container("b"), container("a", cpu="1"), initContainers=[container("i")]), ["requests.cpu", "limits.memory"],
        "must specify limits.memory for: a,b,i; requests.cpu for: b,i", id="not said"),
    pytest.param(pod(container(), resources={"requests": {"memory": "1Gi"}}), ["cpu", "limits.cpu"], "", id="the Pod speaks for all"),
    pytest.param(pod(container(), resources={"requests": {}}), ["cpu"], "must specify cpu for: c", id="the Pod says nothing"),
])
def test_what_a_pod_must_say(obj: JsonObject, names: list[str], expected: str) -> None:
    assert Evaluators(Cards()).of(PODS).missing(names, obj) == expected


def service(kind: str, *ports: int | None, **spec: Any) -> JsonObject:
    return {"spec": {"type": kind, "ports": [{"port": 1, **({"nodePort": port} if port else {})} for port in ports], **spec}}


@pytest.mark.parametrize(("obj", "expected"), [
    pytest.param(service("ClusterIP", None), "count/services=1,services=1", id="ClusterIP"),
    pytest.param(service("NodePort", None, None), "count/services=1,services=1,services.nodeports=2", id="NodePort"),
    pytest.param(
        service("LoadBalancer", None), "count/services=1,services=1,services.loadbalancers=1,services.nodeports=1", id="LoadBalancer"),
    pytest.param(
        service("LoadBalancer", None, 30000, allocateLoadBalancerNodePorts=False),
        "count/services=1,services=1,services.loadbalancers=1,services.nodeports=1", id="without node ports but one"),
])
def test_what_a_service_costs(obj: JsonObject, expected: str) -> None:
    assert cost(SERVICES, obj) == expected


def volume_claim(size: str, storage_class: str = "", annotations: JsonObject | None = None, **status: Any) -> JsonObject:
    spec = {"resources": {"requests": {"storage": size}}, **({"storageClassName": storage_class} if storage_class else {})}
    return {"metadata": {"name": "v", "annotations": annotations or {}}, "spec": spec, "status": status}


GOLD = "gold.storageclass.storage.k8s.io/"


@pytest.mark.parametrize(("obj", "expected"), [
    pytest.param(volume_claim("1Gi"), "count/persistentvolumeclaims=1,persistentvolumeclaims=1,requests.storage=1Gi", id="no class"),
    pytest.param(
        volume_claim("1Gi", "gold"), f"count/persistentvolumeclaims=1,{GOLD}persistentvolumeclaims=1,{GOLD}requests.storage=1Gi,"
        "persistentvolumeclaims=1,requests.storage=1Gi", id="class"),
    pytest.param(
        volume_claim("1Gi", "silver", {"volume.beta.kubernetes.io/storage-class": "gold"}),
        f"count/persistentvolumeclaims=1,{GOLD}persistentvolumeclaims=1,{GOLD}requests.storage=1Gi,"
        "persistentvolumeclaims=1,requests.storage=1Gi", id="class by annotation"),
    pytest.param(
        volume_claim("1500m"), "count/persistentvolumeclaims=1,persistentvolumeclaims=1,requests.storage=2", id="half a byte"),
    pytest.param(
        volume_claim("1Gi", allocatedResources={"storage": "3Gi"}),
        "count/persistentvolumeclaims=1,persistentvolumeclaims=1,requests.storage=3Gi", id="an expansion that failed"),
])
def test_what_a_volume_claim_costs(obj: JsonObject, expected: str) -> None:
    assert cost(CLAIMS, obj) == expected


def device_claim(*requests: JsonObject, **metadata: Any) -> JsonObject:
    return {"metadata": {"name": "d", "namespace": "n", **metadata}, "spec": {"devices": {"requests": [*requests]}}}


def exactly(device_class: str, count: int = 1, mode: str = "ExactCount") -> JsonObject:
    return {"exactly": {"deviceClassName": device_class, "allocationMode": mode, **({"count": count} if mode == "ExactCount" else {})}}


COUNT = "count/resourceclaims.resource.k8s.io=1"
FOR_POD: JsonObject = {
    "annotations": {"resource.kubernetes.io/extended-resource-claim": "true"}, "creationTimestamp": "2026-11-21T11:00:00Z",
    "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}],
}
CARD: dict[str, Any] = {"example.com/card": "1"}
PAYING = pod(container(**CARD), metadata={"uid": "u", "namespace": "n"})


@pytest.mark.parametrize(("obj", "expected"), [
    pytest.param(device_claim(exactly("tpu", 2)), f"{COUNT},tpu=2", id="exact"),
    pytest.param(device_claim(exactly("tpu", mode="All")), f"{COUNT},tpu=32", id="all that match"),
    pytest.param(device_claim(exactly("tpu", mode="Most")), COUNT, id="a mode of the future"),
    pytest.param(device_claim(exactly("tpu", 2), exactly("tpu")), f"{COUNT},tpu=3", id="two requests"),
    pytest.param(
        device_claim({"firstAvailable": [exactly(name, count)["exactly"] for name, count in (("tpu", 1), ("tpu", 4), ("npu", 2))]}),
        f"{COUNT},npu=2,tpu=4", id="the worst of alternatives"),
    pytest.param(
        device_claim(exactly("gpu", 2)), f"{COUNT},gpu=2,requests.deviceclass.resource.kubernetes.io/gpu=2,requests.example.com/card=2",
        id="a class with an extended resource"),
])
def test_what_a_claim_for_devices_costs(obj: JsonObject, expected: str) -> None:
    found = cost(DEVICE_CLAIMS, obj).replace(".deviceclass.resource.k8s.io/devices", "")
    assert re.sub(r",requests\.deviceclass\.resource\.kubernetes\.io/[tn]pu=[0-9]+", "", found) == expected


@pytest.mark.parametrize(("metadata", "others", "card"), [
    pytest.param(FOR_POD, [], "1", id="less what its Pod pays"),
    pytest.param({**FOR_POD, "annotations": {}}, [], "2", id="not made for it"),
    pytest.param({**FOR_POD, "ownerReferences": [{**FOR_POD["ownerReferences"][0], "uid": "other"}]}, [], "2", id="another Pod's"),
    pytest.param(FOR_POD, [device_claim(**{**FOR_POD, "name": "older", "creationTimestamp": "2026-11-21T10:00:00Z"})], "2", id="a second"),
])
def test_a_pod_pays_once_for_an_extended_resource(metadata: JsonObject, others: list[JsonObject], card: str) -> None:
    claim = device_claim(exactly("gpu", 2), **metadata)

    usage = Evaluators(Cards(PAYING, claims=[claim, *others])).of(DEVICE_CLAIMS).usage(claim, NOW)

    assert str(usage["requests.example.com/card"]) == card


@pytest.mark.parametrize(("resource", "name", "alias"), [
    pytest.param(GroupResource("", "configmaps"), "count/configmaps", "configmaps", id="an old name too"),
    pytest.param(GroupResource("apps", "deployments"), "count/deployments.apps", None, id="of a group"),
    pytest.param(GroupResource("test.example", "gadgets"), "count/gadgets.test.example", None, id="custom"),
    pytest.param(GroupResource("", "endpoints"), "count/endpoints", None, id="of the core group"),
])
def test_any_object_can_be_counted(resource: GroupResource, name: str, alias: str | None) -> None:
    evaluator = Evaluators(Cards()).of(resource)

    assert count_name(resource) == name
    assert evaluator.usage({}, NOW).keys() == {name, *([alias] if alias else [])}
    assert evaluator.names(["pods", name, "deployments"]) == [name]
    assert evaluator.handles("CREATE", "", {}, None)
    assert not evaluator.handles("UPDATE", "", {}, {})
    assert not evaluator.handles("CREATE", "status", {}, None)


@pytest.mark.parametrize(("resource", "operation", "subresource", "old", "new", "handled"), [
    pytest.param(PODS, "CREATE", "", None, pod(), True, id="a new Pod"),
    pytest.param(PODS, "UPDATE", "", pod(), pod(), False, id="a changed Pod"),
    pytest.param(PODS, "UPDATE", "", pod(), pod(activeDeadlineSeconds=5), True, id="a Pod with a deadline now"),
    pytest.param(PODS, "UPDATE", "status", pod(), pod(), False, id="a Pod's status"),
    pytest.param(PODS, "UPDATE", "resize", pod(), pod(), True, id="a resized Pod"),
    pytest.param(PODS, "CREATE", "binding", None, pod(), False, id="a bound Pod"),
    pytest.param(CLAIMS, "UPDATE", "", {}, {}, True, id="a changed claim"),
    pytest.param(CLAIMS, "UPDATE", "status", volume_claim("1"), volume_claim("1"), False, id="a claim's status"),
    pytest.param(
        CLAIMS, "UPDATE", "status", volume_claim("1"), volume_claim("1", allocatedResources={"storage": "2"}), True, id="an expansion"),
    pytest.param(
        CLAIMS, "UPDATE", "status", volume_claim("1"), volume_claim("1", currentVolumeAttributesClassName="a"), True, id="another class"),
    pytest.param(SERVICES, "UPDATE", "", {}, {}, True, id="a changed Service"),
    pytest.param(SERVICES, "UPDATE", "status", {}, {}, False, id="a Service's status"),
    pytest.param(DEVICE_CLAIMS, "UPDATE", "", {}, {}, True, id="a changed claim for devices"),
])
def test_which_writes_are_charged(
    resource: GroupResource, operation: str, subresource: str, old: JsonObject | None, new: JsonObject, handled: bool
) -> None:
    assert Evaluators(Cards()).of(resource).handles(operation, subresource, new, old) is handled


@pytest.mark.parametrize(("hard", "resources"), [
    pytest.param(["pods", "requests.cpu", "hugepages-2Mi"], ["pods"], id="Pods"),
    pytest.param(["services.nodeports", "secrets", "requests.storage"], ["persistentvolumeclaims", "secrets", "services"], id="several"),
    pytest.param([GOLD + "requests.storage"], ["persistentvolumeclaims"], id="a storage class"),
    pytest.param(["count/deployments.apps", "count/gadgets.test.example"], ["deployments.apps", "gadgets.test.example"], id="counted"),
    pytest.param(["count/events", "count/events.events.k8s.io"], [], id="never counted"),
    pytest.param(["requests.example.com/other"], ["pods"], id="an extended resource"),
    pytest.param(["requests.example.com/card"], ["pods", "resourceclaims.resource.k8s.io"], id="one that stands for devices"),
    pytest.param(["gpu.deviceclass.resource.k8s.io/devices"], ["resourceclaims.resource.k8s.io"], id="devices"),
])
def test_whom_a_quota_concerns(hard: list[str], resources: list[str]) -> None:
    assert sorted(str(evaluator.resource) for evaluator in Evaluators(Cards()).concerned(hard)) == resources


def test_together_objects_cost_what_each_does_and_what_is_not_there_costs_zero() -> None:
    quota: JsonObject = {"spec": {"scopes": ["NotBestEffort"]}}
    pods = [pod(container(cpu="1")), pod(container(cpu="500m")), pod(container())]

    used = counted(Evaluators(Cards()).of(PODS), quota, ["pods", "requests.cpu", "limits.cpu", "services"], pods, NOW)

    assert listed(used) == "limits.cpu=0,pods=2,requests.cpu=1500m"
    assert GroupResource("", "bindings") in UNCOUNTED
