from __future__ import annotations

import base64
from typing import Any

import pytest

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import RESOURCES, SCHEME
from kube.apimachinery.scheme import ResourceType

RBAC = "rbac.authorization.k8s.io"
NET = "networking.k8s.io"


def strategy(path: str) -> Strategy:
    plural, _, group = path.partition(".")
    resource = SCHEME.for_path(group, "v1", plural) or SCHEME.for_path(group, "v2", plural)
    assert resource is not None
    return strategy_for(resource)


def created(path: str, **content: Any) -> dict[str, Any]:
    rules = strategy(path)
    metadata = {"name": "x", **({"namespace": "d"} if rules.resource.namespaced else {}), **content.pop("metadata", {})}
    obj = {"metadata": metadata, **content}
    rules.default(obj)
    rules.prepare_for_create(obj)
    return obj


def problems(path: str, **content: Any) -> str:
    obj = created(path, **content)
    return " | ".join(f"{cause.field}: {cause.message}" for cause in strategy(path).validate(obj))


def test_a_secret_merges_its_plain_strings() -> None:
    secret = created("secrets", data={"a": "eA=="}, stringData={"b": "hé"})
    assert (secret["type"], secret["data"], "stringData" in secret) == (
        "Opaque", {"a": "eA==", "b": base64.b64encode("hé".encode()).decode()}, False)


def test_a_namespace_is_active_labelled_and_held_by_its_content() -> None:
    namespace = created("namespaces")
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}
    assert namespace["status"] == {"phase": "Active"}
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}


def test_a_node_keeps_the_status_it_registers_with() -> None:
    node = created("nodes", status={"capacity": {"memory": "1024Mi"}})
    assert node["status"] == {"capacity": {"memory": "1Gi"}, "allocatable": {"memory": "1Gi"}}


def test_a_binding_knows_its_groups() -> None:
    binding = created(f"rolebindings.{RBAC}", roleRef={"kind": "Role", "name": "r"}, subjects=[{"kind": "User", "name": "u"}])
    assert (binding["roleRef"]["apiGroup"], binding["subjects"][0]["apiGroup"]) == (RBAC, RBAC)


def test_a_network_policy_says_which_directions_it_rules() -> None:
    policy = created(f"networkpolicies.{NET}", spec={"egress": [{"ports": [{"port": 53}]}]})
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                              "egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}]}


def test_a_limit_range_derives_defaults_from_limits() -> None:
    limits = created("limitranges", spec={"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "100m"}}]})
    assert limits["spec"]["limits"][0]["default"] == {"cpu": "2"}
    assert limits["spec"]["limits"][0]["defaultRequest"] == {"cpu": "2"}


@pytest.mark.parametrize(("path", "content", "words"), [
    pytest.param("configmaps", {"data": {"a b": ""}}, 'data[a b]: Invalid value: "a b": a valid config key must consist of',
                 id="config key"),
    pytest.param("configmaps", {"data": {"a": "x" * 1048577}}, "Too long: may not be more than 1048576 bytes", id="config size"),
    pytest.param("secrets", {"type": "kubernetes.io/tls"}, "data[tls.crt]: Required value | data[tls.key]: Required value",
                 id="tls secret"),
    pytest.param("secrets", {"type": "kubernetes.io/service-account-token"},
                 "metadata.annotations[kubernetes.io/service-account.name]: Required value", id="token secret"),
    pytest.param("nodes", {"spec": {"taints": [{"key": "a", "effect": "Never"}]}}, 'metadata.taints[0].effect: Unsupported value: "Never": '
                 'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"', id="taint effect"),
    pytest.param("endpoints", {"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}, "may not be in the loopback range", id="loopback"),
    pytest.param("endpointslices.discovery.k8s.io", {"addressType": "IPv5"},
                 'addressType: Unsupported value: "IPv5": supported values: "FQDN", "IPv4", "IPv6"', id="address type"),
    pytest.param("endpointslices.discovery.k8s.io", {"addressType": "IPv4", "endpoints": [{"addresses": []}]},
                 "endpoints[0].addresses: Required value", id="no addresses"),
    pytest.param("leases.coordination.k8s.io", {"spec": {"leaseDurationSeconds": 0}},
                 "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0", id="lease duration"),
    pytest.param(f"roles.{RBAC}", {"rules": [{"verbs": ["get"], "resources": ["pods"]}]},
                 "rules[0].apiGroups: Required value: resource rules must supply at least one api group", id="role without group"),
    pytest.param(f"rolebindings.{RBAC}", {"roleRef": {"kind": "Rule", "name": "r"}},
                 'roleRef.kind: Unsupported value: "Rule": supported values: "Role", "ClusterRole"', id="role kind"),
    pytest.param(f"clusterrolebindings.{RBAC}", {"roleRef": {"kind": "ClusterRole", "name": "r"},
                                                 "subjects": [{"kind": "ServiceAccount", "name": "a"}]},
                 "subjects[0].namespace: Required value", id="account without namespace"),
    pytest.param(f"roles.{RBAC}", {"metadata": {"name": "a/b"}}, 'metadata.name: Invalid value: "a/b": may not contain \'/\'',
                 id="role name"),
    pytest.param(f"ingresses.{NET}", {"spec": {}}, "either `defaultBackend` or `rules` must be specified", id="empty ingress"),
    pytest.param(f"ingresses.{NET}", {"spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": {}}]}}]}},
                 "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified", id="path type"),
    pytest.param(f"networkpolicies.{NET}", {"spec": {"ingress": [{"from": [{}]}]}},
                 "spec.ingress[0].from[0]: Required value: must specify a peer", id="empty peer"),
    pytest.param("poddisruptionbudgets.policy", {"spec": {"minAvailable": 1, "maxUnavailable": 1}},
                 "minAvailable and maxUnavailable cannot be both set", id="both bounds"),
    pytest.param("horizontalpodautoscalers.autoscaling", {"spec": {"minReplicas": 5, "maxReplicas": 2, "scaleTargetRef": {
        "kind": "Deployment", "name": "d"}}},
                 "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`", id="bounds of an autoscaler"),
    pytest.param("persistentvolumeclaims", {"spec": {}}, "spec.accessModes: Required value: at least 1 access mode is required",
                 id="modes"),
    pytest.param("persistentvolumes", {"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}},
                 "spec: Required value: must specify a volume type", id="volume without source"),
    pytest.param("storageclasses.storage.k8s.io", {}, "provisioner: Required value", id="provisioner"),
    pytest.param("priorityclasses.scheduling.k8s.io", {"value": 2000000000},
                 "value: Forbidden: maximum allowed value of a user defined priority is 1000000000", id="priority"),
    pytest.param("priorityclasses.scheduling.k8s.io", {"metadata": {"name": "system-mine"}},
                 "priority class names with 'system-' prefix are reserved for system use only", id="reserved priority name"),
    pytest.param("events", {"metadata": {"namespace": "d"}, "involvedObject": {"namespace": "e"}},
                 'involvedObject.namespace: Invalid value: "e": does not match event.namespace', id="event elsewhere"),
    pytest.param("resourcequotas", {"spec": {"hard": {"pods": "-1"}}},
                 'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0', id="negative quota"),
])
def test_rules(path: str, content: dict[str, Any], words: str) -> None:
    assert words in problems(path, **content)


@pytest.mark.parametrize(("path", "old", "new", "words"), [
    pytest.param("configmaps", {"immutable": True, "data": {"a": "1"}}, {"immutable": True, "data": {"a": "2"}},
                 "data: Forbidden: field is immutable when `immutable` is set", id="immutable config"),
    pytest.param("configmaps", {"immutable": True}, {}, "immutable: Forbidden: field is immutable when `immutable` is set", id="unset"),
    pytest.param("secrets", {"type": "Opaque"}, {"type": "a/b"}, 'type: Invalid value: "a/b": field is immutable', id="secret type"),
    pytest.param(f"rolebindings.{RBAC}", {"roleRef": {"kind": "Role", "name": "a"}}, {"roleRef": {"kind": "Role", "name": "b"}},
                 'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: field is immutable',
                 id="role reference"),
    pytest.param("storageclasses.storage.k8s.io", {"provisioner": "a"}, {"provisioner": "b"},
                 "provisioner: Invalid value: null: field is immutable", id="provisioner"),
    pytest.param("nodes", {"spec": {"providerID": "a://1"}}, {"spec": {"providerID": "a://2"}},
                 "spec.providerID: Invalid value: null: field cannot be modified once set", id="provider"),
    pytest.param("nodes", {"spec": {"podCIDR": "10.1.0.0/24"}}, {"spec": {"podCIDR": "10.2.0.0/24", "podCIDRs": ["10.1.0.0/24"]}},
                 "spec.podCIDRs: Forbidden: node updates may not change podCIDR", id="the Pods of another node"),
])
def test_what_never_changes(path: str, old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    rules, held, obj = strategy(path), created(path, **old), created(path, **new)
    rules.prepare_for_update(obj, held)
    assert words in " | ".join(f"{cause.field}: {cause.message}" for cause in rules.validate_update(obj, held))


@pytest.mark.parametrize(("path", "content", "fields"), [
    pytest.param("events", {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Started", "type": "Normal"},
                 {"involvedObject.kind": "Pod", "involvedObject.name": "p", "reason": "Started", "type": "Normal"}, id="events"),
    pytest.param("secrets", {}, {"type": "Opaque"}, id="secrets"),
    pytest.param("namespaces", {}, {"status.phase": "Active"}, id="namespaces"),
    pytest.param("nodes", {"spec": {"unschedulable": True}}, {"spec.unschedulable": "true"}, id="nodes"),
    pytest.param("replicationcontrollers", {}, {"status.replicas": "0"}, id="replication controllers"),
    pytest.param("jobs.batch", {}, {"status.successful": "0"}, id="jobs"),
    pytest.param("certificatesigningrequests.certificates.k8s.io", {"spec": {"signerName": "a/b"}}, {"spec.signerName": "a/b"}, id="csrs"),
])
def test_fields_for_selectors(path: str, content: dict[str, Any], fields: dict[str, str]) -> None:
    assert fields.items() <= strategy(path).fields(created(path, **content)).items()


def test_kinds_without_fields_of_their_own_say_which_they_know() -> None:
    assert strategy("configmaps").unsupported_field("data.x") == (
        '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"')


@pytest.mark.parametrize("resource", [pytest.param(row, id=f"{row.plural}.{row.api_version}") for row in RESOURCES])
def test_every_kind_survives_an_empty_object(resource: ResourceType) -> None:
    rules = strategy_for(resource)
    obj: dict[str, Any] = {"metadata": {"name": "x", "uid": "u"}}
    rules.default(obj)
    rules.prepare_for_create(obj)
    old = {**obj, "metadata": {**obj["metadata"], "resourceVersion": "1"}}
    again = {"metadata": {"name": "x"}}
    rules.default(again)
    rules.prepare_for_update(again, old)
    rules.prepare_for_status_update(again, old)

    assert isinstance(rules.validate(obj), list)
    assert isinstance(rules.validate_update(again, old), list)
    assert isinstance(rules.validate_status_update(again, old), list)
    assert {"metadata.name"} <= rules.supported_fields
