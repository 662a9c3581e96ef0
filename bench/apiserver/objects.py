"""What the benchmark stores: Pods as a Deployment makes them, about 2.5 KB of JSON each once defaults and managed fields are in."""

from __future__ import annotations

from typing import Any, Final

NAMESPACE: Final = "bench"
PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
NODES: Final = 100

Json = dict[str, Any]


def pod(name: str, number: int) -> Json:
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": NAMESPACE,
            "labels": {"app": f"app-{number % 50}", "pod-template-hash": "7d9c6b5f4", "tier": "web"},
            "annotations": {"example.com/checksum": f"{number:064x}"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"app-{number % 50}-7d9c6b5f4",
                "uid": f"00000000-0000-4000-8000-{number % 50:012x}", "controller": True, "blockOwnerDeletion": True,
            }],
        },
        "spec": {
            "nodeName": f"node-{number % NODES}", "automountServiceAccountToken": False,      # else a volume with a random name
            "containers": [{
                "name": "web", "image": "registry.example.com/team/web:1.2.3",
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [
                    {"name": "LEVEL", "value": "info"},
                    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
            }],
            "volumes": [{"name": "config", "configMap": {"name": "web"}}],
        },
    }


def labelled(number: int, round_: int) -> Json:
    """A strategic merge patch."""
    return {"metadata": {"labels": {"round": f"r{round_}-{number}"}}}


def applied(number: int, round_: int) -> Json:
    """A configuration for server-side apply: one annotation, one label."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": f"p{number}", "labels": {"applied": f"r{round_}"}, "annotations": {"example.com/applied": f"r{round_}-{number}"},
        },
    }


SETUP: Final[tuple[tuple[str, Json], ...]] = (
    ("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
    (f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": NAMESPACE}}),
    ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "bench"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bench"}],
    }),
)
