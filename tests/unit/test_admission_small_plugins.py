"""The plugins that fill in or check one thing. The cases are those of upstream's unit tests."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.admission.plugin import Operation
from kube.apimachinery.meta import JsonObject
from tests.support.admission import admit, new, pod, refusal, request

CREATED = "2026-01-0{}T00:00:00Z"


def marked(kind: str, name: str, annotation: str, day: int = 1, *, api_version: str, **fields: Any) -> JsonObject:
    metadata = {"annotations": {annotation: "true"} if annotation else {}, "creationTimestamp": CREATED.format(day)}
    return new(kind, name, api_version=api_version, namespace="", metadata=metadata, **fields)


def storage_class(name: str, annotation: str = "storageclass.kubernetes.io/is-default-class", day: int = 1, **fields: Any) -> JsonObject:
    return marked("StorageClass", name, annotation, day, api_version="storage.k8s.io/v1", **fields)


def ingress_class(name: str, annotation: str = "ingressclass.kubernetes.io/is-default-class", day: int = 1) -> JsonObject:
    return marked("IngressClass", name, annotation, day, api_version="networking.k8s.io/v1")


@pytest.mark.req("ADM-06")
@pytest.mark.parametrize(("claim", "classes", "chosen"), [
    pytest.param({}, [storage_class("a"), storage_class("b", "")], "a", id="default"),
    pytest.param({}, [storage_class("b", "storageclass.beta.kubernetes.io/is-default-class")], "b", id="old annotation"),
    pytest.param({}, [storage_class("a", "")], None, id="none is marked"),
    pytest.param({}, [storage_class("old"), storage_class("new", day=2)], "new", id="the newest"),
    pytest.param({}, [storage_class("b"), storage_class("a")], "a", id="as old: by name"),
    pytest.param({"storageClassName": ""}, [storage_class("a")], "", id="none is wanted"),
    pytest.param({"storageClassName": "b"}, [storage_class("a")], "b", id="another is wanted"),
])
async def test_a_claim_gets_the_default_class(claim: JsonObject, classes: list[JsonObject], chosen: str | None) -> None:
    made = await admit(request(new("PersistentVolumeClaim", spec=claim)), "DefaultStorageClass", *classes)
    assert made["spec"].get("storageClassName") == chosen


@pytest.mark.req("ADM-05")
@pytest.mark.parametrize(("metadata", "spec", "classes", "chosen"), [
    pytest.param({}, {}, [ingress_class("a"), ingress_class("b", "")], "a", id="default"),
    pytest.param({}, {}, [ingress_class("a"), ingress_class("b", day=2)], "b", id="the newest"),
    pytest.param({}, {}, [], None, id="none"),
    pytest.param({}, {"ingressClassName": "c"}, [ingress_class("a")], "c", id="named"),
    pytest.param({"annotations": {"kubernetes.io/ingress.class": "c"}}, {}, [ingress_class("a")], None, id="named by annotation"),
])
async def test_an_ingress_gets_the_default_class(
    metadata: JsonObject, spec: JsonObject, classes: list[JsonObject], chosen: str | None
) -> None:
    made = new("Ingress", api_version="networking.k8s.io/v1", metadata=metadata, spec=spec)
    assert (await admit(request(made), "DefaultIngressClass", *classes))["spec"].get("ingressClassName") == chosen


@pytest.mark.req("ADM-17")
@pytest.mark.parametrize(("obj", "finalizer"), [
    (new("PersistentVolumeClaim"), "kubernetes.io/pvc-protection"),
    (new("PersistentVolume", namespace=""), "kubernetes.io/pv-protection"),
    (new("VolumeAttributesClass", api_version="storage.k8s.io/v1", namespace=""), "kubernetes.io/vac-protection"),
])
async def test_storage_is_protected(obj: JsonObject, finalizer: str) -> None:
    made = await admit(request(obj), "StorageObjectInUseProtection")
    again = await admit(request(made), "StorageObjectInUseProtection")
    assert made["metadata"]["finalizers"] == again["metadata"]["finalizers"] == [finalizer]


def claim(size: str, name: str | None = "grows", phase: str = "Bound") -> JsonObject:
    spec = {"resources": {"requests": {"storage": size}}} | ({} if name is None else {"storageClassName": name})
    return new("PersistentVolumeClaim", spec=spec, status={"phase": phase})


NO_RESIZE = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"


@pytest.mark.req("ADM-11")
@pytest.mark.parametrize(("old", "changed", "why"), [
    pytest.param(claim("1Gi"), claim("2Gi"), "", id="grows"),
    pytest.param(claim("2Gi"), claim("1Gi"), "", id="shrinking is validation's"),
    pytest.param(claim("1Gi", phase="Pending"), claim("2Gi"), "Only bound persistent volume claims can be expanded", id="not bound"),
    pytest.param(claim("1Gi", "stays"), claim("2Gi", "stays"), NO_RESIZE, id="class forbids"),
    pytest.param(claim("1Gi", "silent"), claim("2Gi", "silent"), NO_RESIZE, id="class says nothing"),
    pytest.param(claim("1Gi", "gone"), claim("2Gi", "gone"), NO_RESIZE, id="no such class"),
    pytest.param(claim("1Gi", None), claim("2Gi", None), NO_RESIZE, id="no class"),
    pytest.param(claim("1Gi", "stays"), claim("2Gi"), NO_RESIZE, id="another class"),
])
async def test_claims_grow_where_their_class_allows(old: JsonObject, changed: JsonObject, why: str) -> None:
    classes = [
        storage_class("grows", allowVolumeExpansion=True), storage_class("stays", allowVolumeExpansion=False), storage_class("silent"),
    ]
    asked = request(changed, Operation.UPDATE, old=old)
    if not why:
        await admit(asked, "PersistentVolumeClaimResize", *classes)
    else:
        assert await refusal(asked, "PersistentVolumeClaimResize", *classes) == f'persistentvolumeclaims "x" is forbidden: {why}'


RUNTIME = new(
    "RuntimeClass", "vm", api_version="node.k8s.io/v1", namespace="", handler="vm", overhead={"podFixed": {"cpu": "100m"}},
    scheduling={"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm", "operator": "Exists"}]},
)
PLAIN = new("RuntimeClass", "plain", api_version="node.k8s.io/v1", namespace="", handler="plain")


@pytest.mark.req("ADM-15")
async def test_a_pod_gets_what_its_runtime_class_says() -> None:
    asked = pod("x", runtimeClassName="vm", overhead={"cpu": "0.1"}, nodeSelector={"disk": "ssd"})
    made = (await admit(request(asked), "RuntimeClass", RUNTIME))["spec"]
    plain = (await admit(request(pod("x", runtimeClassName="plain")), "RuntimeClass", PLAIN))["spec"]

    assert made["overhead"] == {"cpu": "100m"}
    assert made["nodeSelector"] == {"disk": "ssd", "vm": "yes"}
    assert made["tolerations"] == [{"key": "vm", "operator": "Exists"}]
    assert "overhead" not in plain


@pytest.mark.req("ADM-15")
@pytest.mark.parametrize(("spec", "why"), [
    pytest.param({"runtimeClassName": "x"}, 'pod rejected: RuntimeClass "x" not found', id="unknown"),
    pytest.param(
        {"runtimeClassName": "vm", "overhead": {"cpu": "1"}}, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        id="another overhead",
    ),
    pytest.param(
        {"overhead": {"cpu": "1"}}, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead", id="no class",
    ),
    pytest.param(
        {"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}},
        "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no", id="selector",
    ),
])
async def test_a_pod_must_fit_its_runtime_class(spec: JsonObject, why: str) -> None:
    assert await refusal(request(pod("x", **spec)), "RuntimeClass", RUNTIME, PLAIN) == f'pods "x" is forbidden: {why}'


NODE = new("Node", "n", namespace="", metadata={"labels": {
    "topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "kubernetes.io/os": "linux", "disk": "ssd",
}}, status={"allocatable": {"cpu": "2", "memory": "1Gi"}})
TOPOLOGY = {"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r"}


async def test_pods_and_bindings_carry_the_nodes_zone() -> None:
    bound = await admit(request(pod("x", metadata={"labels": {"a": "b", "topology.kubernetes.io/zone": "?"}}, nodeName="n")),
                        "PodTopologyLabels", NODE)
    binding = request(pod(), subresource="binding")
    binding.obj = {"metadata": {"name": "x"}, "target": {"kind": "Node", "name": "n"}}
    unbound = await admit(request(pod()), "PodTopologyLabels", NODE)

    assert bound["metadata"]["labels"] == {"a": "b", **TOPOLOGY}
    assert (await admit(binding, "PodTopologyLabels", NODE))["metadata"]["labels"] == TOPOLOGY
    assert "labels" not in unbound["metadata"]


def resized(generation: int = 2, **spec: Any) -> JsonObject:
    return pod("x", metadata={"generation": generation}, **{"nodeName": "n", **spec})


WINDOWS = new("Node", "w", namespace="", metadata={"labels": {"kubernetes.io/os": "windows"}})


@pytest.mark.parametrize(("changed", "why"), [
    pytest.param(resized(resources={"requests": {"cpu": "2", "memory": "1Gi"}}), "", id="fits"),
    pytest.param(resized(nodeName=""), "", id="not on a node"),
    pytest.param(resized(1, nodeName="gone"), "", id="unchanged"),
    pytest.param(resized(nodeName="gone"), 'node "gone" not found', id="no node"),
    pytest.param(resized(nodeName="w"), 'pod resize is only supported on linux nodes, node "w" is "windows"', id="windows"),
    pytest.param(
        resized(resources={"requests": {"cpu": "1900m", "memory": "2Gi"}}, overhead={"cpu": "200m"}),
        "node didn't have enough allocatable resources: cpu, requested: 2100, allocatable: 2000; "
        "memory, requested: 2147483648, allocatable: 1073741824", id="too big",
    ),
])
async def test_a_pod_is_resized_within_its_node(changed: JsonObject, why: str) -> None:
    asked = request(changed, Operation.UPDATE, old=resized(1), subresource="resize")
    if not why:
        await admit(asked, "PodResizeValidator", NODE, WINDOWS)
    else:
        assert await refusal(asked, "PodResizeValidator", NODE, WINDOWS) == f'pods "x" is forbidden: {why}'


async def test_a_node_must_have_declared_what_a_change_needs() -> None:
    able = copy.deepcopy(NODE) | {"status": {"declaredFeatures": ["InPlacePodLevelResourcesVerticalScaling"]}}
    asked = request(resized(resources={"requests": {"cpu": "1"}}), Operation.UPDATE, old=resized(1), subresource="resize")
    plain = request(resized(), Operation.UPDATE, old=resized(1), subresource="resize")

    assert await refusal(asked, "NodeDeclaredFeatureValidator", NODE) == (
        'pods "x" is forbidden: pod update requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "n"'
    )
    await admit(asked, "NodeDeclaredFeatureValidator", able)
    await admit(plain, "NodeDeclaredFeatureValidator")
