"""What a ResourceQuota may bound, and with which scopes; what a Pod may ask for as a whole. Each sentence is kube-apiserver v1.37's."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.strategies.pod_totals import validate_pod_resources
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

ROW = SCHEME.for_path("", "v1", "resourcequotas")
assert ROW is not None
STRATEGY = strategy_for(ROW)


def quota(spec: dict[str, Any], status: dict[str, Any] | None = None) -> dict[str, Any]:
    metadata = {"name": "q", "namespace": "n", "resourceVersion": "1"}
    obj = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec, **({"status": status} if status else {})}
    STRATEGY.default(obj)
    return obj


def selecting(scope: str, operator: str, *values: str, hard: str = "pods") -> dict[str, Any]:
    expression = {"scopeName": scope, "operator": operator, **({"values": [*values]} if values else {})}
    return {"hard": {hard: "1"}, "scopeSelector": {"matchExpressions": [expression]}}


OWN = ("pods", "cpu", "requests.cpu", "limits.ephemeral-storage", "hugepages-2Mi", "requests.hugepages-1Gi", "services.nodeports")
QUALIFIED = (
    "count/deployments.apps", "requests.example.com/gpu", "gold.storageclass.storage.k8s.io/requests.storage",
    "gpu.deviceclass.resource.k8s.io/devices", "example.com/anything",
)
NOT_FOR_RESOURCE = "unsupported scope applied to resource"


@pytest.mark.parametrize("spec", [
    pytest.param({"hard": {}}, id="nothing"),
    pytest.param({"hard": dict.fromkeys(OWN, "1")}, id="Kubernetes' own"),
    pytest.param({"hard": dict.fromkeys(QUALIFIED, "1")}, id="with a domain"),
    pytest.param({"hard": {"count/pods": "1"}, "scopes": ["BestEffort"]}, id="counted, in a scope"),
    pytest.param(selecting("PriorityClass", "In", "a", "b"), id="PriorityClass"),
    pytest.param(selecting("VolumeAttributesClass", "NotIn", "a", hard="requests.storage"), id="VolumeAttributesClass"),
    pytest.param({"hard": {"pods": 1, "cpu": 0.5}}, id="numbers"),
])
def test_good_quotas(spec: dict[str, Any]) -> None:
    assert STRATEGY.validate(quota(spec)) == []


@pytest.mark.parametrize(("spec", "problem"), [
    pytest.param({"hard": {"pods": "1.5"}}, 'spec.hard[pods]: Invalid value: "1500m": must be an integer', id="half a Pod"),
    pytest.param(
        {"hard": {"storage": "1"}}, 'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota', id="storage"),
    pytest.param(
        {"hard": {"limits.hugepages-2Mi": "2Mi"}},
        'spec.hard[limits.hugepages-2Mi]: Invalid value: "limits.hugepages-2Mi": must be a standard resource type or fully qualified',
        id="limits of huge pages"),
    pytest.param({"hard": {"pods": "1"}, "scopes": ["Odd"]}, 'spec.scopes: Invalid value: ["Odd"]: unsupported scope', id="unknown scope"),
    pytest.param(
        {"hard": {"services": "1"}, "scopes": ["Terminating"]}, f'spec.scopes: Invalid value: ["Terminating"]: {NOT_FOR_RESOURCE}',
        id="services in a scope of Pods"),
    pytest.param(
        {"hard": {"hugepages-2Mi": "2Mi"}, "scopes": ["NotBestEffort"]},
        f'spec.scopes: Invalid value: ["NotBestEffort"]: {NOT_FOR_RESOURCE}', id="huge pages in a scope"),
    pytest.param(
        {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}, f'spec.scopes: Invalid value: ["BestEffort"]: {NOT_FOR_RESOURCE}',
        id="cpu of those who ask for none"),
    pytest.param(
        selecting("VolumeAttributesClass", "Exists"),
        "spec.scopeSelector.matchExpressions: Invalid value: "
        f'{{"MatchExpressions":[{{"ScopeName":"VolumeAttributesClass","Operator":"Exists","Values":null}}]}}: {NOT_FOR_RESOURCE}',
        id="Pods in a scope of claims"),
    pytest.param(
        selecting("PriorityClass", "In"), "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when "
        "`operator` is 'In' or 'NotIn' for scope selector", id="In nothing"),
    pytest.param(
        selecting("PriorityClass", "Like", "x"),
        'spec.scopeSelector.matchExpressions.operator: Invalid value: "Like": not a valid selector operator', id="unknown operator"),
])
def test_bad_quotas(spec: dict[str, Any], problem: str) -> None:
    assert problem in [f"{cause.field}: {cause.message}" for cause in STRATEGY.validate(quota(spec))]


def test_scopes_are_for_ever_and_a_status_is_checked_too() -> None:
    old = quota({"hard": {"pods": "1"}, "scopes": ["BestEffort"]})

    changed = STRATEGY.validate_update(quota({"hard": {"pods": "2"}, "scopes": ["NotBestEffort"]}), old)
    status = STRATEGY.validate_status_update(quota(old["spec"], {"hard": {"pods": "-1"}, "used": {"x": "1"}}), old)

    assert [f"{cause.field}: {cause.message}" for cause in changed] == [
        'spec.scopes: Invalid value: ["NotBestEffort"]: field is immutable']
    assert [cause.field for cause in status] == ["status.hard[pods]", "status.used[x]", "status.used[x]"]
    assert STRATEGY.validate_update(quota({"hard": {"pods": "2"}, "scopes": ["BestEffort"]}), old) == []


@pytest.mark.parametrize(("whole", "container", "problems"), [
    pytest.param(
        {"requests": {"cpu": "1"}}, {"requests": {"cpu": "1", "memory": "1Gi", "example.com/gpu": "1"}}, [], id="says nothing of the rest"),
    pytest.param({"requests": {}}, {"requests": {"cpu": "1"}}, [], id="says nothing"),
    pytest.param(
        {"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}},
        ['spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2'],
        id="less than its containers"),
    pytest.param(
        {"requests": {"cpu": "1", "hugepages-2Mi": "2Mi"}, "limits": {"hugepages-2Mi": "2Mi"}}, {"limits": {"hugepages-2Mi": "4Mi"}},
        ['spec.resources.limits[hugepages-2Mi]: Invalid value: "2Mi": must be greater than or equal to aggregate container limits of 4Mi',
         'spec.resources.containers[0][hugepages-2Mi].limits: Invalid value: "4Mi": must be less than or equal to pod limits of 2Mi'],
        id="fewer huge pages"),
])
def test_a_pod_as_a_whole_is_held_against_what_it_says(whole: dict[str, Any], container: dict[str, Any], problems: list[str]) -> None:
    spec = {"resources": whole, "containers": [{"name": "c", "resources": container}]}

    assert [f"{cause.field}: {cause.message}" for cause in validate_pod_resources(spec, "spec.resources")] == problems
