from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from control_plane.apiserver.tables.registry import table_for
from kube.apimachinery.resources import RESOURCES, SCHEME
from kube.apimachinery.scheme import ResourceType

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CREATED = "2026-01-01T10:00:00Z"
TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2"}]}}
SELECTOR = {"matchLabels": {"app": "web"}}


def row(path: str, **content: Any) -> list[Any]:
    plural, _, group = path.partition(".")
    resource = SCHEME.for_path(group, "v1", plural) or SCHEME.for_path(group, "v2", plural)
    assert resource is not None
    metadata = {"name": "x", "creationTimestamp": CREATED, **content.pop("metadata", {})}
    return table_for(resource).row({"metadata": metadata, **content}, NOW)


@pytest.mark.parametrize(("path", "content", "cells"), [
    pytest.param("deployments.apps", {"spec": {"replicas": 3, "template": TEMPLATE, "selector": SELECTOR}, "status": {
        "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}},
        ["x", "2/3", 3, 1, "120m", "a,b", "x:1,y:2", "app=web"], id="deployment"),
    pytest.param("replicasets.apps", {"spec": {"replicas": 3, "template": TEMPLATE, "selector": SELECTOR}, "status": {"replicas": 2}},
                 ["x", 3, 2, 0, "120m", "a,b", "x:1,y:2", "app=web"], id="replicaset"),
    pytest.param("statefulsets.apps", {"spec": {"replicas": 1, "template": TEMPLATE}}, ["x", "0/1", "120m", "a,b", "x:1,y:2"],
                 id="statefulset"),
    pytest.param("jobs.batch", {"spec": {"completions": 2}, "status": {
        "succeeded": 2, "startTime": CREATED, "completionTime": "2026-01-01T10:00:09Z", "conditions": [
            {"type": "Complete", "status": "True"}]}}, ["x", "Complete", "2/2", "9s", "120m", "", "", "<none>"], id="job"),
    pytest.param("cronjobs.batch", {"spec": {"schedule": "* * * * *", "suspend": False}},
                 ["x", "* * * * *", "<none>", "False", 0, "<none>", "120m", "", "", "<none>"], id="cronjob"),
    pytest.param("services", {"spec": {"type": "NodePort", "clusterIPs": ["10.96.0.9"], "selector": {"app": "web"}, "ports": [
        {"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}},
        ["x", "NodePort", "10.96.0.9", "<none>", "80:30080/TCP,53/UDP", "120m", "app=web"], id="service"),
    pytest.param("services", {"spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"]}},
                 ["x", "LoadBalancer", "10.96.0.9", "<pending>", "<none>", "120m", "<none>"], id="balancer without address"),
    pytest.param("services", {"spec": {"type": "ExternalName", "externalName": "a.example"}},
                 ["x", "ExternalName", "<none>", "a.example", "<none>", "120m", "<none>"], id="external name"),
    pytest.param("endpoints", {"subsets": [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(1, 6)], "ports": [{"port": 80}]}]},
                 ["x", "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...", "120m"], id="endpoints"),
    pytest.param("endpoints", {}, ["x", "<none>", "120m"], id="no endpoints"),
    pytest.param("endpointslices.discovery.k8s.io", {"addressType": "IPv4", "ports": [{"name": "", "port": 80}], "endpoints": [
        {"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]}, ["x", "IPv4", "80", "10.0.0.1,10.0.0.2", "120m"], id="slice"),
    pytest.param("nodes", {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}, "spec": {"unschedulable": True},
                            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                                       "addresses": [{"type": "InternalIP", "address": "172.30.0.11"}],
                            "nodeInfo": {
            "kubeletVersion": "v1.37.0", "osImage": "Debian", "kernelVersion": "6.1", "containerRuntimeVersion": "runc://1.1"}}},
        ["x", "Ready,SchedulingDisabled", "control-plane", "120m", "v1.37.0", "172.30.0.11", "<none>", "Debian", "6.1", "runc://1.1"],
        id="node"),
    pytest.param("nodes", {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
                 ["x", "NotReady", "<none>", "120m", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"], id="lost node"),
    pytest.param("namespaces", {"status": {"phase": "Active"}}, ["x", "Active", "120m"], id="namespace"),
    pytest.param("events", {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Started", "type": "Normal", "message": "hi\n",
                            "source": {"component": "kubelet", "host": "n1"}, "firstTimestamp": "2026-01-01T11:00:00Z",
                            "lastTimestamp": "2026-01-01T11:59:00Z", "count": 4},
                 ["60s", "Normal", "Started", "pod/p", "", "kubelet, n1", "hi", "60m", 4, "x"], id="event"),
    pytest.param("events.events.k8s.io", {"regarding": {"kind": "Node"}, "eventTime": "2026-01-01T11:59:30.000000Z", "note": "n",
                                          "reportingController": "c"},
                 ["30s", "", "", "node", "", "c", "n", "30s", 1, "x"], id="event of the new form"),
    pytest.param("leases.coordination.k8s.io", {"spec": {"holderIdentity": "n1"}}, ["x", "n1", "120m"], id="lease"),
    pytest.param("configmaps", {"data": {"a": ""}, "binaryData": {"b": ""}}, ["x", 2, "120m"], id="configmap"),
    pytest.param("secrets", {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, "120m"], id="secret"),
    pytest.param("serviceaccounts", {}, ["x", "120m"], id="service account"),
    pytest.param("roles.rbac.authorization.k8s.io", {}, ["x", CREATED], id="default table"),
    pytest.param("clusterrolebindings.rbac.authorization.k8s.io", {"roleRef": {"kind": "ClusterRole", "name": "admin"}, "subjects": [
        {"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "namespace": "d", "name": "s"}]},
        ["x", "ClusterRole/admin", "120m", "u", "", "d/s"], id="binding"),
    pytest.param("ingresses.networking.k8s.io", {"spec": {"rules": [{"host": "a"}, {"host": "b"}], "tls": [{}]}},
                 ["x", "<none>", "a,b", "", "80, 443", "120m"], id="ingress"),
    pytest.param("persistentvolumeclaims", {"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}},
                 ["x", "Pending", "", "", "", "fast", "<unset>", "120m", "<unset>"], id="unbound claim"),
    pytest.param("horizontalpodautoscalers.autoscaling", {"spec": {"minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": {
        "kind": "Deployment", "name": "d"}, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {
            "averageUtilization": 80}}}]}}, ["x", "Deployment/d", "cpu: <unknown>/80%", "1", 3, 0, "120m"], id="autoscaler"),
    pytest.param("poddisruptionbudgets.policy", {"spec": {"minAvailable": "50%"}}, ["x", "50%", "N/A", 0, "120m"], id="budget"),
    pytest.param("certificatesigningrequests.certificates.k8s.io", {"spec": {"signerName": "a/b", "username": "u"}, "status": {
        "certificate": "x", "conditions": [{"type": "Approved"}]}}, ["x", "120m", "a/b", "u", "<none>", "Approved,Issued"], id="csr"),
])
def test_cells(path: str, content: dict[str, Any], cells: list[Any]) -> None:
    assert row(path, **content) == cells


@pytest.mark.parametrize("resource", [pytest.param(item, id=f"{item.plural}.{item.api_version}") for item in RESOURCES])
def test_every_kind_has_a_cell_for_every_column(resource: ResourceType) -> None:
    table = table_for(resource)
    columns = table.columns()

    assert len(columns) == len(table.row({"metadata": {"name": "x"}}, NOW))
    assert [column["format"] for column in columns].count("name") >= (resource.kind != "StorageVersionMigration")
    assert all(column["description"] for column in columns)
