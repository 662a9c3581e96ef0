"""Admission plugins, switched and configured by a cluster's settings, as kubectl meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.testing.cluster import Cluster, CommandFailed, eventually

STORAGE = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: bounds}
spec:
  limits:
  - {type: Container, default: {memory: 64Mi}, max: {memory: 128Mi}}
"""
BIG = {"containers": [{"name": "c", "image": "busybox", "resources": {"limits": {"memory": "1Gi"}}}]}


@pytest.mark.req("ADM-02", "ADM-06", "ADM-08", "ADM-12", "ADM-17")
def test_plugins_of_a_cluster(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, nodes=1)
    settings, admission = tmp_path / "cluster.json", tmp_path / "admission.json"
    exempt = {"apiVersion": "pod-security.admission.config.k8s.io/v1", "kind": "PodSecurityConfiguration",
              "exemptions": {"namespaces": ["free"]}}
    admission.write_text(json.dumps({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodSecurity", "configuration": exempt}],
    }))
    settings.write_text(json.dumps({"apiserver": {"enable_admission_plugins": ["LimitRange"]}}))
    with pytest.raises(CommandFailed, match='apiserver: enable-admission-plugins plugin "LimitRange" is unknown'):
        cluster.start("--config", str(settings))
    settings.write_text(json.dumps({"apiserver": {
        "disable_admission_plugins": ["DefaultTolerationSeconds"], "admission_control_config_file": str(admission),
    }}))
    try:
        cluster.start("--config", str(settings))
        _try_out(cluster)
    finally:
        cluster.stop()


def _try_out(cluster: Cluster) -> None:
    kubectl = cluster.kubectl
    eventually(lambda: kubectl("get", "serviceaccount", "default"))
    kubectl("apply", "-f", "-", stdin=STORAGE)
    assert "standard (default)" in kubectl("get", "storageclass")       # the cluster's own
    claim = json.loads(kubectl("get", "pvc", "data", "-o", "json"))
    assert claim["spec"]["storageClassName"] == "standard"
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

    made = json.loads(kubectl("run", "small", "--image=busybox", "-o", "json"))
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}}
    assert not made["spec"].get("tolerations")              # the plugin is off
    with pytest.raises(CommandFailed, match='"big" is forbidden: maximum memory usage per Container is 128Mi, but limit is 1Gi'):
        kubectl("run", "big", "--image=busybox", f"--overrides={json.dumps({'spec': BIG})}")

    for name in ("strict", "free"):
        kubectl("create", "namespace", name)
        eventually(lambda name=name: kubectl("get", "serviceaccount", "default", "-n", name))      # type: ignore[misc]
        kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    with pytest.raises(CommandFailed, match='"root" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation'):
        kubectl("run", "root", "--image=busybox", "-n", "strict")
    kubectl("run", "root", "--image=busybox", "-n", "free")

    kubectl("delete", "pvc", "data", "--timeout=120s")       # nobody uses it: its finalizer is taken away
