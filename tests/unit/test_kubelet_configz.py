"""/configz says what upstream's KubeletConfiguration would."""

from __future__ import annotations

from typing import Any

from kube.process.config import ApiserverAccess, TlsFiles
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.configz import configz

TLS = TlsFiles(cert_file="/pki/kubelet.crt", key_file="/pki/kubelet.key", ca_file="/pki/ca.crt")


def told(**more: Any) -> dict[str, Any]:
    config = KubeletConfig(
        apiserver=ApiserverAccess(targets=("127.0.0.1:6444",), tls=TLS), node_name="node1", node_ip="172.30.0.11", root_dir="/r",
        run_dir="/run/r", images_dir="/i", cgroup_parent="/c", cluster_dns=("10.96.0.10",), serving_tls=TLS, **more,
    )
    found: dict[str, Any] = configz(config)["kubeletconfig"]
    return found


def test_defaults_by_upstreams_names() -> None:
    found = told()

    assert (found["kind"], found["apiVersion"]) == ("KubeletConfiguration", "kubelet.config.k8s.io/v1beta1")
    assert (found["maxPods"], found["clusterDNS"], found["syncFrequency"]) == (110, ["10.96.0.10"], "1m0s")
    assert found["evictionHard"]["memory.available"] == "100Mi"
    assert found["evictionPressureTransitionPeriod"] == "5m0s"
    assert "evictionSoft" not in found


def test_what_was_chosen_is_told() -> None:
    found = told(
        eviction_hard={"memory.available": "5%"}, eviction_soft={"memory.available": "1Gi"},
        eviction_soft_grace_period_s={"memory.available": 90.0}, register_taints=("a/b=c:NoSchedule",), static_pod_path="/m",
    )

    assert found["evictionHard"] == {"memory.available": "5%"}
    assert found["evictionSoftGracePeriod"] == {"memory.available": "1m30s"}
    assert found["registerWithTaints"] == [{"key": "a/b", "value": "c", "effect": "NoSchedule"}]
    assert found["staticPodPath"] == "/m"
