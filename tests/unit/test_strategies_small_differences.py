"""Small things that kube-apiserver v1.37.1 answers so: empty values, what a change leaves behind, the resize of a whole Pod."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.pod_totals import default_pod_resources
from control_plane.apiserver.strategies.pod_updates import validate_resize
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME


def strategy(group: str, plural: str) -> Strategy:
    resource = SCHEME.for_path(group, "v1", plural)
    assert resource is not None
    return strategy_for(resource)


def sized(requests: dict[str, str], limits: dict[str, str]) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c"}], "resources": {"requests": requests, "limits": limits}}}


def test_empty_protocol_of_a_policy_is_not_defaulted() -> None:
    obj: dict[str, Any] = {"spec": {"ingress": [{"ports": [{"protocol": ""}, {}]}]}}
    strategy("networking.k8s.io", "networkpolicies").default(obj)
    assert [port["protocol"] for port in obj["spec"]["ingress"][0]["ports"]] == ["", "TCP"]


def test_what_its_type_shows_as_null_is_defaulted() -> None:
    """A client that leaves `service` out gets "", or kubectl describe falls over it."""
    pod: dict[str, Any] = {"spec": {"containers": [{"name": "c", "livenessProbe": {"grpc": {"port": 1, "service": None}}}]}}
    strategy("", "pods").default(pod)
    assert pod["spec"]["containers"][0]["livenessProbe"]["grpc"] == {"port": 1, "service": ""}

    obj: dict[str, Any] = {"spec": {"controller": "a.b/c", "parameters": {"kind": "A", "name": "b", "scope": None}}}
    strategy("networking.k8s.io", "ingressclasses").default(obj)
    assert obj["spec"]["parameters"]["scope"] == "Cluster"


def test_a_refused_claim_shows_what_differs_and_no_more() -> None:
    def claim(storage: str) -> dict[str, Any]:
        return {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}}

    [cause] = strategy("", "persistentvolumeclaims").validate_change(claim("2Mi"), claim("1Mi"))
    assert '+   "storage": "2Mi"' in cause.message
    assert "volumeName" not in cause.message


def test_empty_topology_term_is_a_duplicate() -> None:
    causes = strategy("storage.k8s.io", "storageclasses").validate_object(
        {"provisioner": "a.b/c", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", "allowedTopologies": [{}]}, None)
    assert [cause.field for cause in causes] == ["allowedTopologies[0].matchLabelExpressions"]


def test_service_accounts_keep_the_names_of_secrets_alone() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "a"}, "secrets": [{"kind": "Secret"}, {"kind": "Secret", "name": "x"}]}
    strategy("", "serviceaccounts").prepare_for_create(obj)
    assert obj["secrets"] == [{}, {"name": "x"}]


def test_resize_of_the_whole_pod() -> None:
    old = sized({"cpu": "1"}, {"cpu": "2"})
    assert validate_resize(sized({"cpu": "1500m"}, {"cpu": "3"}), old) == []
    assert [cause.message for cause in validate_resize(sized({"cpu": "1"}, {}), old)] == [
        "Forbidden: pod-level resource limits cannot be removed"]


def test_requests_of_a_pod_default_to_those_of_its_containers() -> None:
    spec: dict[str, Any] = {"containers": [{"resources": {"requests": {"memory": "1Mi"}}}], "resources": {"requests": {"cpu": "1"}}}
    default_pod_resources(spec)
    assert spec["resources"] == {"requests": {"cpu": "1", "memory": "1Mi"}}
