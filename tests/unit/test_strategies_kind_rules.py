"""Rules of the kinds besides Pods: one object that breaks each, and the sentence a client then reads; and their warnings."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

POD: dict[str, Any] = {"containers": [{"name": "c", "image": "x:1"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
WORK = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
JOB = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
PORTS = [{"port": 80}]
AUTOSCALER = {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}
QUEUE = {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}


def strategy(path: str) -> Strategy:
    plural, _, group = path.partition(".")
    resource = SCHEME.for_path(group, "v2", plural) or SCHEME.for_path(group, "v1", plural)
    assert resource is not None
    return strategy_for(resource)


def created(path: str, content: dict[str, Any]) -> dict[str, Any]:
    rules, content = strategy(path), copy.deepcopy(content)
    metadata = {"name": "x", "uid": "u", **({"namespace": "d"} if rules.resource.namespaced else {}), **content.pop("metadata", {})}
    obj = {"metadata": metadata, **content}
    rules.default(obj)
    rules.prepare_for_create(obj)
    rules.default(obj)
    return obj


_RULES: list[tuple[str, dict[str, Any], str]] = [
    ("statefulsets.apps", {"spec": {**WORK, "serviceName": "s", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {
        "maxUnavailable": 0}}}}, "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"),
    ("statefulsets.apps", {"spec": {**WORK, "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}}},
     'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep": supported values: "Retain", "Delete"'),
    ("daemonsets.apps", {"spec": {**WORK, "updateStrategy": {"rollingUpdate": {"maxUnavailable": "101%"}}}},
     'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'),
    ("jobs.batch", {"spec": {**JOB, "completionMode": "Indexed", "parallelism": 2}},
     "spec.completions: Required value: when completion mode is Indexed"),
    ("jobs.batch", {"spec": {**JOB, "podFailurePolicy": {"rules": [{"action": "FailJob"}]}}},
     "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"),
    ("jobs.batch",
     {"spec": {**JOB, "podFailurePolicy": {"rules": [{"action": "Count", "onExitCodes": {"operator": "In", "values": [0]}}]}}},
     "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"),
    ("jobs.batch", {"spec": {**JOB, "completionMode": "Indexed", "completions": 3, "successPolicy": {"rules": [
        {"succeededIndexes": "0-1", "succeededCount": 3}]}}}, "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less "
     "than or equal to 2 (the number of indexes in the specified succeededIndexes field)"),
    ("jobs.batch", {"spec": {**JOB, "backoffLimitPerIndex": 1}},
     "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
    ("cronjobs.batch", {"spec": {"schedule": "TZ=UTC 0 0 * * *", "jobTemplate": {"spec": JOB}}},
     'spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'),
    ("cronjobs.batch", {"spec": {"schedule": "0 0 * * *", "timeZone": "Mars/X", "jobTemplate": {"spec": JOB}}},
     'spec.timeZone: Invalid value: "Mars/X": unknown time zone Mars/X'),
    ("services", {"spec": {"ports": PORTS, "trafficDistribution": "Near"}},
     'spec.trafficDistribution: Unsupported value: "Near": supported '
     'values: "PreferClose", "PreferSameZone", "PreferSameNode"'),
    ("services", {"spec": {"ports": PORTS, "loadBalancerClass": "a/b"}},
     "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"),
    ("services", {"spec": {"ports": PORTS, "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "10.0.0.2"]}},
     'spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family'),
    ("persistentvolumes", {"spec": {**VOLUME, "nfs": {"server": "s", "path": "/"}}},
     "spec.nfs: Forbidden: may not specify more than 1 volume type"),
    ("persistentvolumes", {"spec": {**VOLUME, "hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"}},
     "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"),
    ("persistentvolumeclaims", {"spec": {**CLAIM, "dataSourceRef": {"kind": "Pod", "name": "p"}}},
     "spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing the default apiGroup | spec.dataSourceRef: "
     "Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing the default apiGroup"),
    ("storageclasses.storage.k8s.io", {"provisioner": "p", "volumeBindingMode": "Later"},
     'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"'),
    ("csidrivers.storage.k8s.io", {"spec": {"tokenRequests": [{"audience": "a"}, {"audience": "a"}]}},
     'spec.tokenRequests[1].audience: Duplicate value: "a"'),
    ("volumeattachments.storage.k8s.io", {"spec": {"attacher": "a", "nodeName": "n", "source": {}}},
     "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
    ("volumeattributesclasses.storage.k8s.io", {"driverName": "d"}, "parameters: Required value: must contain at least one key/value pair"),
    ("horizontalpodautoscalers.autoscaling", {"spec": {**AUTOSCALER, "metrics": [{"type": "Pods"}]}},
     "spec.metrics[0].pods: Required value: must populate information for the given metric source"),
    ("horizontalpodautoscalers.autoscaling", {"spec": {**AUTOSCALER, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}}},
     "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600"),
    ("poddisruptionbudgets.policy", {"spec": {"minAvailable": "101%"}},
     'spec.minAvailable: Invalid value: "101%": must not be greater than 100%'),
    ("resourcequotas", {"spec": {"hard": {"disks": "1"}}}, 'spec.hard[disks]: Invalid value: "disks": must be a standard resource type or '
     'fully qualified | spec.hard[disks]: Invalid value: "disks": must be a standard resource for quota'),
    ("resourcequotas", {"spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}},
     'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'),
    ("limitranges", {"spec": {"limits": [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}},
     'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'),
    ("flowschemas.flowcontrol.apiserver.k8s.io", {"spec": {"matchingPrecedence": 1, "priorityLevelConfiguration": {"name": "p"}}},
     "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"),
    ("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", {"spec": {"type": "Exempt"}},
     "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'"),
    ("ingresses.networking.k8s.io", {"spec": {"defaultBackend": {"service": {"name": "s"}}}},
     "spec.defaultBackend: Required value: port name or number is required"),
    ("ingressclasses.networking.k8s.io", {"spec": {"controller": "c"}},
     'spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")'),
    ("nodes", {"spec": {"taints": [{"key": "a", "effect": "NoExecute"}] * 2}}, 'metadata.taints[1]: Duplicate value: {"key":"a","effect":'
     '"NoExecute"}: taints must be unique by key and effect pair'),
    ("configmaps", {"metadata": {"finalizers": ["mine"]}}, 'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard '
     "finalizer name nor is it fully qualified"),
]


@pytest.mark.parametrize(("path", "content", "said"), [
    pytest.param(*row, id=f"{row[0].partition('.')[0]}: {row[2][:40]}") for row in _RULES
])
def test_what_is_wrong_is_said_as_upstream_says_it(path: str, content: dict[str, Any], said: str) -> None:
    assert " | ".join(f"{cause.field}: {cause.message}" for cause in strategy(path).validate(created(path, content))) == said


@pytest.mark.parametrize(("path", "content"), [
    pytest.param("statefulsets.apps", {"spec": {
        "selector": {"matchLabels": {"a": "b"}}, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}],
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
            {"name": "c", "image": "x", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]}}}}, id="a StatefulSet mounts its claims"),
    pytest.param("jobs.batch", {"spec": {**JOB, "podFailurePolicy": {"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}}}, id="failure policy"),
    pytest.param("persistentvolumes", {"spec": VOLUME}, id="volume"),
    pytest.param("horizontalpodautoscalers.autoscaling", {"spec": {**AUTOSCALER, "behavior": {"scaleUp": {}}}}, id="autoscaler"),
    pytest.param("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", {"spec": QUEUE}, id="priority level"),
    pytest.param("limitranges", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "100m"}}]}}, id="limits"),
])
def test_objects_in_order(path: str, content: dict[str, Any]) -> None:
    assert strategy(path).validate(created(path, content)) == []


@pytest.mark.parametrize(("path", "content", "said"), [
    pytest.param("services", {"spec": {"ports": PORTS, "externalIPs": ["1.2.3.4"]}},
                 "spec.externalIPs is deprecated and may no longer be implemented in some clusters", id="external addresses"),
    pytest.param("deployments.apps", {"metadata": {"name": "a.b"}, "spec": WORK},
                 "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is "
                 "recommended: [must not contain dots]", id="name"),
    pytest.param("ingresses.networking.k8s.io", {"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}, "spec": {
        "defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}}},
        "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead", id="ingress class"),
    pytest.param("persistentvolumes", {"spec": {**VOLUME, "persistentVolumeReclaimPolicy": "Recycle"}},
                 "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the "
                 "recommended approach is to use "
                 "dynamic provisioning.", id="recycle"),
])
def test_what_is_odd_is_warned_of(path: str, content: dict[str, Any], said: str) -> None:
    obj = created(path, content)

    assert (strategy(path).validate(obj), strategy(path).warnings(obj, None)) == ([], [said])


def test_a_suspended_job_may_be_sent_elsewhere_a_running_one_not() -> None:
    old = created("jobs.batch", {"spec": {**JOB, "suspend": True}})
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
    assert strategy("jobs.batch").validate_update(new, old) == []

    old["spec"]["suspend"] = False
    assert [cause.field for cause in strategy("jobs.batch").validate_update(new, old)] == ["spec.template"]


def test_a_bound_claim_grows_and_a_pending_one_does_not() -> None:
    old = created("persistentvolumeclaims", {"spec": CLAIM})
    new = copy.deepcopy(old)
    new["spec"]["resources"]["requests"]["storage"] = "2Gi"
    assert [cause.field for cause in strategy("persistentvolumeclaims").validate_update(new, old)] == ["spec"]

    for claim in (old, new):
        claim["status"]["phase"] = "Bound"
    assert strategy("persistentvolumeclaims").validate_update(new, old) == []
