"""Objects in the versions they are served in, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control_plane.storage.conversion import convert
from control_plane.storage.keys import KeyTable, object_key
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType


def row(group: str, version: str, plural: str) -> ResourceType:
    found = SCHEME.for_path(group, version, plural)
    assert found is not None
    return found


def test_an_event_changes_its_words_between_the_groups() -> None:
    event: JsonObject = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod"}, "reason": "Pulled",
        "message": "m", "source": {"component": "kubelet"}, "firstTimestamp": "t1", "lastTimestamp": "t2", "count": 3, "type": "Normal",
        "eventTime": None, "reportingComponent": "kubelet", "reportingInstance": "node1",
    }

    served = convert(row("", "v1", "events"), event, "events.k8s.io/v1")

    assert served == {
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}, "regarding": {"kind": "Pod"}, "reason": "Pulled",
        "note": "m", "deprecatedSource": {"component": "kubelet"}, "deprecatedFirstTimestamp": "t1", "deprecatedLastTimestamp": "t2",
        "deprecatedCount": 3, "type": "Normal", "eventTime": None, "reportingController": "kubelet", "reportingInstance": "node1",
    }
    assert convert(row("events.k8s.io", "v1", "events"), served, "v1") == event


CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
METRICS: list[dict[str, Any]] = [
    {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
    {"type": "Pods", "pods": {"metric": {"name": "rps", "selector": {"matchLabels": {"a": "b"}}},
                              "target": {"type": "AverageValue", "averageValue": "10"}}},
    {"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "i"},
                                  "target": {"type": "Value", "value": "100"}}},
    {"type": "External", "external": {"metric": {"name": "queue", "selector": {"matchLabels": {"a": "b"}}},
                                      "target": {"type": "AverageValue", "averageValue": "5"}}},
]


@pytest.mark.parametrize("metrics", [[], [CPU], METRICS, [*METRICS, CPU]], ids=["none", "cpu", "others", "all"])
def test_an_autoscaler_comes_back_from_v1_as_it_was(metrics: list[dict[str, Any]]) -> None:
    resource = row("autoscaling", "v2", "horizontalpodautoscalers")
    autoscaler: JsonObject = {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h", "annotations": {"mine": "x"}},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 5,
                 "behavior": {"scaleDown": {"stabilizationWindowSeconds": 10}}} | ({"metrics": metrics} if metrics else {}),
        "status": {"currentReplicas": 2, "desiredReplicas": 3, "conditions": [{"type": "AbleToScale", "status": "True"}],
                   "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 50}}}]},
    }

    old = convert(resource, autoscaler, "autoscaling/v1")

    assert old["spec"].get("targetCPUUtilizationPercentage") == (80 if CPU in metrics else None)
    assert old["status"]["currentCPUUtilizationPercentage"] == 50
    assert convert(resource, old, "autoscaling/v2") == autoscaler


def test_metrics_stand_in_the_annotation_as_v1_writes_them() -> None:
    resource = row("autoscaling", "v2", "horizontalpodautoscalers")
    autoscaler = {"apiVersion": "autoscaling/v2", "metadata": {"name": "h"}, "spec": {"maxReplicas": 2, "metrics": METRICS}}

    old = convert(resource, autoscaler, "autoscaling/v1")

    assert json.loads(old["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]) == [
        {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}},
        {"type": "Pods", "pods": {"metricName": "rps", "selector": {"matchLabels": {"a": "b"}}, "targetAverageValue": "10"}},
        {"type": "Object", "object": {"metricName": "hits", "target": {"kind": "Ingress", "name": "i"}, "targetValue": "100"}},
        {"type": "External", "external": {"metricName": "queue", "metricSelector": {"matchLabels": {"a": "b"}}, "targetAverageValue": "5"}},
    ]


@pytest.mark.parametrize(("resource", "key"), [
    (row("", "v1", "pods"), "/registry/pods/default/web"), (row("", "v1", "nodes"), "/registry/minions/web"),
    (row("", "v1", "services"), "/registry/services/specs/default/web"),
    (row("", "v1", "endpoints"), "/registry/services/endpoints/default/web"),
    (row("apps", "v1", "deployments"), "/registry/deployments/default/web"),
    (row("networking.k8s.io", "v1", "ingresses"), "/registry/ingress/default/web"),
    (row("events.k8s.io", "v1", "events"), "/registry/events/default/web"),
    (row("apiextensions.k8s.io", "v1", "customresourcedefinitions"), "/registry/apiextensions.k8s.io/customresourcedefinitions/web"),
    (ResourceType("stable.example.com", "v1", "CronTab", "crontabs"), "/registry/stable.example.com/crontabs/default/web"),
])
def test_objects_stand_where_etcdctl_expects_them(resource: ResourceType, key: str) -> None:
    name = NamespacedName("default" if resource.namespaced else "", "web")

    assert object_key(resource, name) == key
    assert KeyTable([*SCHEME, resource]).split(key) == (resource.storage_identity, str(name))


def test_no_two_resources_share_a_place() -> None:
    places: dict[str, set[object]] = {}
    for resource in SCHEME:
        places.setdefault(object_key(resource, NamespacedName("", "x")), set()).add(resource.storage_identity)

    assert [place for place, identities in places.items() if len(identities) > 1] == []


@pytest.mark.parametrize("key", ["/registry/ranges/serviceips", "/registry/pods/", "/registry/pods", "compact_rev_key", "/registry/x/y/z"])
def test_other_keys_are_nobodys(key: str) -> None:
    assert KeyTable(SCHEME).split(key) is None
