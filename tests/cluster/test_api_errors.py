"""Bad input: each with a clear answer, and nothing left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from launcher.testing.cluster import Cluster
from tests.support.space import Json, Space, config_map, container, deployment, pod, service


def changed(thing: Json, path: str, value: Any) -> Json:
    """The object with one field, named by its path, set."""
    *parents, last = path.split(".")
    at: Any = thing
    for name in parents:
        at = at[int(name)] if name.isdigit() else at.setdefault(name, {})
    at[last] = value
    return thing


@pytest.mark.req("RES-03", "RES-04", "VOL-08")
@pytest.mark.parametrize(("thing", "messages"), [
    pytest.param(changed(pod("x"), "spec.storageClassNme", "fast"), [
        'strict decoding error: unknown field "spec.storageClassNme"',
    ], id="an unknown field"),
    pytest.param(changed(pod("x"), "spec.containers.0.imagee", "b"), [
        'unknown field "spec.containers[0].imagee"',
    ], id="an unknown field in a list"),
    pytest.param(changed(deployment("x"), "spec.replicas", "three"), [
        "cannot unmarshal string into Go struct field",
    ], id="a wrong type"),
    pytest.param(changed(pod("x"), "metadata.name", "Not_Valid"), [
        'The Pod "Not_Valid" is invalid: metadata.name: Invalid value: "Not_Valid": a lowercase RFC 1123 subdomain must consist of',
    ], id="an invalid name"),
    pytest.param(changed(pod("x"), "metadata.labels", {"a": "no spaces here"}), [
        "metadata.labels: Invalid value:", "a valid label must be",
    ], id="an invalid label"),
    pytest.param(changed(service("x"), "spec.type", "NordPort"), [
        'The Service "x" is invalid: spec.type: Unsupported value: "NordPort": supported values: '
        '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ], id="a misspelt value"),
    pytest.param(pod("x", {"name": "main"}), [
        "spec.containers[0].image: Required value",
    ], id="a container without an image"),
    pytest.param(changed(pod("x"), "spec.containers", []), [
        "spec.containers: Required value",
    ], id="no container"),
    pytest.param(pod("x", container("a"), container("a")), [
        'spec.containers[1].name: Duplicate value: "a"',
    ], id="two containers of one name"),
    pytest.param(pod("x", container(volumeMounts=[{"name": "v", "mountPath": "/v"}])), [
        'volumeMounts[0].name: Not found: "v"',
    ], id="a mount without its volume"),
    pytest.param(pod("x", volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]), [
        "may not specify more than 1 volume type",
    ], id="two sources of a volume"),
    pytest.param(pod("x", container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})), [
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ], id="a request above its limit"),
    pytest.param(pod("x", container(resources={"limits": {"cpu": "a lot"}})), [
        "quantities must match the regular expression",
    ], id="no quantity"),
    pytest.param(pod("x", restartPolicy="Sometimes"), [
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values:',
    ], id="an unknown restartPolicy"),
    pytest.param(changed(deployment("x"), "spec.selector.matchLabels", {"app": "y"}), [
        'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
    ], id="a selector that misses its template"),
    pytest.param(changed(service("x"), "spec.ports", [{"port": 0}]), [
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ], id="port 0"),
    pytest.param({**config_map("x"), "kind": "ConfigMaps"}, [
        'no matches for kind "ConfigMaps" in version "v1"',
    ], id="an unknown kind"),
    pytest.param({**deployment("x"), "apiVersion": "extensions/v1beta1"}, [
        'no matches for kind "Deployment" in version "extensions/v1beta1"',
    ], id="a version of old"),
    pytest.param(config_map("x") | {"data": {"a b": "c"}}, [
        'data[a b]: Invalid value: "a b": a valid config key must consist of',
    ], id="an invalid key"),
])
@pytest.mark.modern_kubectl
def test_refused_with_the_reason(space: Space, thing: Json, messages: list[str]) -> None:
    answer = space.refused("create", "-f", "-", stdin=json.dumps(thing))

    assert [message for message in messages if message not in answer] == [], answer
    assert space.kubectl("get", "pods,deployments,services", "-o", "name") == ""


@pytest.mark.req("RES-03")
@pytest.mark.modern_kubectl
def test_unknown_fields_are_dropped_without_validation(space: Space) -> None:
    thing = changed(config_map("c", a="b"), "spac", {"a": 1})

    assert "configmap/c created" in space.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(thing))
    warned = space.tried("apply", "--validate=warn", "-f", "-", stdin=json.dumps(thing | {"metadata": {"name": "d"}}))

    assert "spac" not in space.get("configmap", "c")
    assert 'Warning: unknown field "spac"' in warned.stderr
    assert "created" in warned.stdout


@pytest.mark.req("RES-02")
def test_a_stale_resource_version_is_a_conflict(space: Space) -> None:
    space.create(config_map("c", a="1"))
    stale = space.get("configmap", "c")
    space.kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"data":{"a":"2"}}')

    answer = space.refused("replace", "-f", "-", stdin=json.dumps(stale | {"data": {"a": "3"}}))

    assert 'Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes' in answer
    assert space.get("configmap", "c")["data"] == {"a": "2"}


@pytest.mark.req("ADM-10", "NS-01")
def test_namespaces_guard_their_objects(space: Space) -> None:
    missing = space.cluster.kubectl
    with pytest.raises(AssertionError, match='namespaces "nope" not found'):
        missing("create", "configmap", "c", "-n", "nope")
    with pytest.raises(AssertionError, match='namespaces "default" is forbidden: this namespace may not be deleted'):
        missing("delete", "namespace", "default")


@pytest.mark.req("CFG-03")
def test_fields_that_never_change(space: Space) -> None:
    space.create(deployment("d", replicas=0), service("s"), {**config_map("c", a="b"), "immutable": True}, pod("p"))

    def refusal(kind: str, patch: Json) -> str:
        return space.refused("patch", kind, "--type=merge", "-p", json.dumps(patch))

    assert "spec.selector: Invalid value:" in refusal("deployment/d", {"spec": {"selector": {"matchLabels": {"x": "y"}}, "template": {
        "metadata": {"labels": {"x": "y"}}}}})
    assert "field is immutable" in refusal("configmap/c", {"data": {"a": "c"}})
    assert "may not change once set" in refusal("service/s", {"spec": {"clusterIP": "10.96.200.200", "clusterIPs": ["10.96.200.200"]}})
    assert "pod updates may not change fields other than" in refusal("pod/p", {"spec": {"hostname": "other"}})


@pytest.mark.req("SVC-03", "SVC-05")
def test_addresses_and_node_ports_are_unique_and_in_range(space: Space) -> None:
    space.create(service("s", type="NodePort"))
    held = space.get("service", "s")["spec"]

    def refusal(**spec: Any) -> str:
        return space.refused("create", "-f", "-", stdin=json.dumps(service("other", **spec)))

    assert 30000 <= held["ports"][0]["nodePort"] <= 32767
    assert "provided IP is already allocated" in refusal(clusterIP=held["clusterIP"])
    assert "not in the valid range" in refusal(clusterIP="192.0.2.1")
    assert "provided port is already allocated" in refusal(type="NodePort", ports=[{"port": 80, "nodePort": held["ports"][0]["nodePort"]}])
    assert "provided port is not in the valid range. The range of valid ports is 30000-32767" in refusal(
        type="NodePort", ports=[{"port": 80, "nodePort": 80}],
    )


def test_broken_bodies_and_paths(kubonsai_cluster: Cluster) -> None:
    with Space(kubonsai_cluster, "default").python_client() as api:
        def status(method: str, path: str, body: str | None = None, kind: str = "application/json") -> Json:
            answer = api.call_api(method, api.configuration.host + path, header_params={"Content-Type": kind}, body=body)
            found: Json = json.loads(answer.read())
            return found

        unknown = status("GET", "/api/v1/nopes")
        wrong_kind = status("POST", "/api/v1/namespaces/default/pods", '{"apiVersion":"v1","kind":"Service","metadata":{"name":"x"}}')
        media_type = status("PATCH", "/api/v1/namespaces/default/configmaps/x", "{}", "application/nonsense+json")
        method = status("POST", "/api/v1/namespaces/default/pods/x", "{}")

    assert (unknown["code"], unknown["reason"]) == (404, "NotFound")
    assert unknown["message"] == "the server could not find the requested resource"
    assert (wrong_kind["code"], wrong_kind["reason"]) == (400, "BadRequest")
    assert media_type["code"] == 415
    assert method["code"] == 405
