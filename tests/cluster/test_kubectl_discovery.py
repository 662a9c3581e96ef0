"""What kubectl learns about the server: resources, versions, explanations, health."""

from __future__ import annotations

import json
import re

import pytest

from launcher.testing.cluster import Cluster, eventually
from tests.support.space import Space


@pytest.mark.req("RES-01")
def test_every_resource_of_the_stable_groups_is_listed(kubonsai_cluster: Cluster) -> None:
    lines = kubonsai_cluster.kubectl("api-resources", "--no-headers").splitlines()
    kinds = {line.split()[-1]: line.split() for line in lines}

    assert kinds.keys() >= {
        "Pod", "ReplicationController", "ReplicaSet", "Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob", "Service", "Endpoints",
        "EndpointSlice", "Ingress", "IngressClass", "ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim", "StorageClass",
        "CSIDriver", "CSINode", "VolumeAttachment", "Node", "Namespace", "ResourceQuota", "Role", "RoleBinding", "ClusterRole",
        "ClusterRoleBinding", "HorizontalPodAutoscaler", "PodTemplate", "LimitRange", "NetworkPolicy", "PodDisruptionBudget",
        "PriorityClass", "Lease", "RuntimeClass", "ServiceAccount", "CustomResourceDefinition",
    }
    assert kinds["Deployment"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert kinds["Node"] == ["nodes", "no", "v1", "false", "Node"]
    assert kinds["CustomResourceDefinition"][1] == "crd,crds"


@pytest.mark.modern_kubectl
def test_resources_can_be_narrowed(kubonsai_cluster: Cluster) -> None:
    def names(*arguments: str) -> set[str]:
        return set(kubonsai_cluster.kubectl("api-resources", "-o", "name", *arguments).split())

    assert names("--api-group=apps") == {
        "controllerrevisions.apps", "daemonsets.apps", "deployments.apps", "replicasets.apps", "statefulsets.apps",
    }
    assert names("--namespaced=false") >= {"nodes", "namespaces"}
    assert "pods" not in names("--namespaced=false")
    assert names("--categories=all") >= {"pods", "services", "deployments.apps", "jobs.batch", "horizontalpodautoscalers.autoscaling"}
    assert names("--verbs=deletecollection") >= {"configmaps", "deployments.apps"}


def test_group_versions_are_stable_ones(kubonsai_cluster: Cluster) -> None:
    versions = kubonsai_cluster.kubectl("api-versions").split()

    assert {"v1", "apps/v1", "batch/v1", "autoscaling/v2", "rbac.authorization.k8s.io/v1", "discovery.k8s.io/v1"} <= set(versions)
    assert not [version for version in versions if "alpha" in version or "beta" in version]


@pytest.mark.parametrize("accept", [
    pytest.param("application/json", id="one group at a time"),
    pytest.param("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", id="aggregated"),
])
def test_both_forms_of_discovery_answer(kubonsai_cluster: Cluster, accept: str) -> None:
    with Space(kubonsai_cluster, "default").python_client() as api:
        answer = json.loads(api.call_api("GET", f"{api.configuration.host}/apis", header_params={"Accept": accept}).read())

    assert answer["kind"] == ("APIGroupDiscoveryList" if "apidiscovery" in accept else "APIGroupList")


@pytest.mark.parametrize(("path", "wanted"), [
    ("pod.spec.containers.livenessProbe", ["FIELD: livenessProbe <Probe>", "Periodic probe of container", "failureThreshold\t<int"]),
    ("deployment.spec", ["GROUP:      apps", "KIND:       Deployment", "FIELD: spec <DeploymentSpec>", "progressDeadlineSeconds\t<int"]),
    ("configmap", ["KIND:       ConfigMap", "VERSION:    v1", "immutable\t<boolean>"]),
    ("hpa.spec.metrics", ["VERSION:    v2", "FIELD: metrics <[]MetricSpec>"]),
])
@pytest.mark.modern_kubectl
def test_explain_knows_fields(kubonsai_cluster: Cluster, path: str, wanted: list[str]) -> None:
    text = kubonsai_cluster.kubectl("explain", path)

    assert [part for part in wanted if part not in text] == []


@pytest.mark.modern_kubectl
def test_explain_recursive_prints_the_tree(kubonsai_cluster: Cluster) -> None:
    text = kubonsai_cluster.kubectl("explain", "service.spec", "--recursive")

    assert "sessionAffinityConfig\t<SessionAffinityConfig>\n    clientIP\t<ClientIPConfig>\n      timeoutSeconds\t<integer>" in text


@pytest.mark.req("DNS-01")
def test_cluster_info_names_the_control_plane_and_dns(kubonsai_cluster: Cluster) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", kubonsai_cluster.kubectl("cluster-info"))      # old kubectls colour pipes, too

    assert "Kubernetes control plane is running at https://127.0.0.1:" in text
    assert "CoreDNS is running at" in text


def test_version_and_health(kubonsai_cluster: Cluster) -> None:
    version = json.loads(kubonsai_cluster.kubectl("version", "-o", "json"))["serverVersion"]

    assert (version["gitVersion"], version["major"], version["minor"]) == ("v1.37.0", "1", "37")
    for path in ("/livez", "/readyz", "/healthz"):
        assert kubonsai_cluster.kubectl("get", "--raw", path) == "ok"
    assert "[+]etcd ok" in kubonsai_cluster.kubectl("get", "--raw", "/readyz?verbose")
    assert "apiserver_request_total{" in kubonsai_cluster.kubectl("get", "--raw", "/metrics")


@pytest.mark.req("NS-02")
def test_the_first_namespaces_and_their_node_leases(kubonsai_cluster: Cluster) -> None:
    phases = {item["metadata"]["name"]: item["status"]["phase"] for item in kubonsai_cluster.get("namespaces")}
    leases = {item["metadata"]["name"]: item["spec"]["holderIdentity"] for item in kubonsai_cluster.get("leases", "-n", "kube-node-lease")}

    assert {name: phases[name] for name in ("default", "kube-node-lease", "kube-public", "kube-system")} == dict.fromkeys(
        ("default", "kube-node-lease", "kube-public", "kube-system"), "Active",
    )
    assert leases == {"node1": "node1", "node2": "node2", "node3": "node3"}
    anonymous = ("get", "configmap", "cluster-info", "-n", "kube-public", "--as=system:anonymous", "--as-group=system:unauthenticated")
    assert "certificate-authority-data" in kubonsai_cluster.kubectl(*anonymous, "-o", "jsonpath={.data.kubeconfig}")


@pytest.mark.req("NOD-02", "NOD-10")
@pytest.mark.modern_kubectl
def test_describe_node_reads_naturally(kubonsai_cluster: Cluster) -> None:
    control_plane = kubonsai_cluster.kubectl("describe", "node", "node1")
    parts = (
        "Roles:              <none>", "kubernetes.io/hostname=node2", "topology.kubernetes.io/zone=", "Taints:             <none>",
        "HolderIdentity:  node2", "KubeletHasSufficientMemory   kubelet has sufficient memory available",
        "KubeletReady                 kubelet is posting ready status", "InternalIP:  172.30.0.12", "Capacity:", "Allocatable:",
        "Kubelet Version:            v1.37.0", "PodCIDR:", "ProviderID:                   kubonsai://", "Non-terminated Pods:",
        "Allocated resources:", "Node node2 event: Registered Node node2 in Controller", "Starting kubelet.",
        "Node node2 status is now: NodeReady",
    )

    def reads() -> bool:
        """Its events may come later than the cluster is up."""
        worker = kubonsai_cluster.kubectl("describe", "node", "node2")
        for part in parts:
            assert part in worker, f"{part!r} is missing in\n{worker}"
        return True

    assert "Roles:              control-plane" in control_plane
    assert "Taints:             node-role.kubernetes.io/control-plane:NoSchedule" in control_plane
    eventually(reads)


def test_nodes_wide(kubonsai_cluster: Cluster) -> None:
    header, *rows = kubonsai_cluster.kubectl("get", "nodes", "-o", "wide").splitlines()

    assert header.split() == [
        "NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME",
    ]
    assert [row.split()[:3] for row in rows] == [
        ["node1", "Ready", "control-plane"], ["node2", "Ready", "<none>"], ["node3", "Ready", "<none>"],
    ]
