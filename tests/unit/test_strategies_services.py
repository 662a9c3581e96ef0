from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

SERVICES = SCHEME.for_path("", "v1", "services")
assert SERVICES is not None
STRATEGY = strategy_for(SERVICES)


def service(**spec: Any) -> dict[str, Any]:
    obj = {"metadata": {"name": "web", "namespace": "d"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}}
    STRATEGY.default(obj)
    STRATEGY.prepare_for_create(obj)
    return obj


def problems(obj: dict[str, Any]) -> str:
    return " | ".join(f"{cause.field}: {cause.message}" for cause in STRATEGY.validate(obj))


@pytest.mark.parametrize(("spec", "wanted"), [
    pytest.param({}, {
        "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}, id="plain"),
    pytest.param({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster"}, id="node port"),
    pytest.param({"type": "LoadBalancer"}, {"allocateLoadBalancerNodePorts": True}, id="load balancer"),
    pytest.param({"sessionAffinity": "ClientIP"}, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}, id="affinity"),
    pytest.param({"clusterIP": "None"}, {"clusterIPs": ["None"]}, id="headless"),
    pytest.param({"clusterIP": "None", "selector": None}, {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]},
                 id="headless without selector"),
    pytest.param({"ports": [{"port": 80, "targetPort": "http"}]}, {"ports": [{"port": 80, "targetPort": "http", "protocol": "TCP"}]},
                 id="named target"),
])
def test_defaults(spec: dict[str, Any], wanted: dict[str, Any]) -> None:
    held = service(**spec)["spec"]
    assert {key: held.get(key) for key in wanted} == wanted


def test_a_new_service_has_an_empty_load_balancer_status() -> None:
    assert service()["status"] == {"loadBalancer": {}}


@pytest.mark.req("RES-03")
@pytest.mark.parametrize(("spec", "words"), [
    pytest.param({"type": "NordPort"}, 'spec.type: Unsupported value: "NordPort": supported values: "ClusterIP", "ExternalName", '
                                       '"LoadBalancer", "NodePort"', id="type"),
    pytest.param({"ports": []}, "spec.ports: Required value", id="no ports"),
    pytest.param({"ports": [{"port": 0}]}, "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive", id="port"),
    pytest.param({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name: Required value", id="unnamed ports"),
    pytest.param({"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]}, 'spec.ports[1].name: Duplicate value: "a"', id="name"),
    pytest.param({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]},
                 'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80', id="same port twice"),
    pytest.param({"ports": [{"port": 80, "nodePort": 30080}]},
                 "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'", id="node port of a ClusterIP"),
    pytest.param({"sessionAffinity": "Sticky"}, 'spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"',
                 id="affinity"),
    pytest.param({"type": "ExternalName"}, "spec.externalName: Required value", id="external name"),
    pytest.param({"clusterIP": "10.0.0"}, "spec.clusterIPs[0]: Invalid value: \"10.0.0\": must be a valid IP address", id="address"),
    pytest.param({"externalTrafficPolicy": "Local"}, "may only be set for externally-accessible services", id="traffic policy"),
])
def test_rules(spec: dict[str, Any], words: str) -> None:
    assert words in problems(service(**spec))


def changed(old_spec: dict[str, Any], change: dict[str, Any]) -> tuple[dict[str, Any], str]:
    old = service(**old_spec)
    old["metadata"].update(uid="u", resourceVersion="1", creationTimestamp="t")
    new = copy.deepcopy(old)
    new["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80}], **change}
    STRATEGY.default(new)
    STRATEGY.prepare_for_update(new, old)
    return new["spec"], " | ".join(f"{cause.field}: {cause.message}" for cause in STRATEGY.validate_update(new, old))


def test_an_update_keeps_what_was_allocated() -> None:
    spec, text = changed(
        {"type": "NodePort", "clusterIP": "10.96.0.7", "ports": [{"port": 80, "nodePort": 30080}]}, {"type": "NodePort"})
    assert (spec["clusterIP"], spec["clusterIPs"], spec["ports"][0]["nodePort"], text) == ("10.96.0.7", ["10.96.0.7"], 30080, "")


def test_an_address_never_changes() -> None:
    _, text = changed({"clusterIP": "10.96.0.7"}, {"clusterIP": "10.96.0.8"})
    assert 'spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set' in text


def test_turning_back_to_cluster_ip_gives_the_node_port_back() -> None:
    held = [{"port": 80, "nodePort": 30080, "protocol": "TCP", "targetPort": 80}]
    spec, text = changed({"type": "NodePort", "clusterIP": "10.96.0.7", "ports": held},
                         {"type": "ClusterIP", "clusterIP": "10.96.0.7", "ports": held, "externalTrafficPolicy": "Cluster"})
    assert ("nodePort" in spec["ports"][0], "externalTrafficPolicy" in spec, text) == (False, False, "")


def test_turning_to_external_name_drops_the_address() -> None:
    spec, text = changed({"clusterIP": "10.96.0.7"}, {"type": "ExternalName", "externalName": "a.example", "clusterIP": "10.96.0.7"})
    assert ("clusterIP" in spec, "clusterIPs" in spec, "ipFamilies" in spec, text) == (False, False, False, "")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "169.254.0.1", "224.0.0.1"])
def test_no_service_takes_a_nodes_own_addresses(address: str) -> None:
    assert f'spec.externalIPs[0]: Invalid value: "{address}"' in problems(service(externalIPs=[address]))
