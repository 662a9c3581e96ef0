from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.strategies.pod_defaults import default_pull_policy
from control_plane.apiserver.strategies.pod_qos import qos_class
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

PODS = SCHEME.for_path("", "v1", "pods")
assert PODS is not None
STRATEGY = strategy_for(PODS)


def pod(spec: dict[str, Any] | None = None, container: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    obj = {"metadata": {"name": "p", "namespace": "d"},
           "spec": {"containers": [{"name": "c", "image": "busybox", **(container or {})}], **(spec or {})}, **more}
    STRATEGY.default(obj)
    return obj


def problems(obj: dict[str, Any]) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in STRATEGY.validate(obj)]


def test_defaults_are_those_kubectl_shows() -> None:
    obj = pod()
    STRATEGY.prepare_for_create(obj)

    assert obj["spec"] == {
        "containers": [{
            "name": "c", "image": "busybox", "imagePullPolicy": "Always", "resources": {},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        }],
        "dnsPolicy": "ClusterFirst", "enableServiceLinks": True, "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "securityContext": {}, "terminationGracePeriodSeconds": 30,
    }
    assert (obj["status"], obj["metadata"]["generation"]) == ({"phase": "Pending", "qosClass": "BestEffort"}, 1)


def test_defaults_of_parts() -> None:
    obj = pod(
        {"hostNetwork": True, "serviceAccountName": "sa", "volumes": [
            {"name": "s", "secret": {"secretName": "x"}}, {"name": "e"},
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}, {"downwardAPI": {"items": [
                {"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}]},
        {"ports": [{"containerPort": 80}], "livenessProbe": {"httpGet": {"port": 80}}, "resources": {"limits": {"cpu": "1000m"}},
         "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]})
    container, volumes = obj["spec"]["containers"][0], obj["spec"]["volumes"]

    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]
    assert container["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1,
        "failureThreshold": 3}
    assert container["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}
    assert container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert obj["spec"]["serviceAccount"] == "sa"
    assert volumes[0]["secret"]["defaultMode"] == 420
    assert volumes[1]["emptyDir"] == {}
    assert volumes[2]["projected"]["defaultMode"] == 420
    assert volumes[2]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


@pytest.mark.parametrize(("image", "policy"), [
    ("busybox", "Always"), ("busybox:latest", "Always"), ("busybox:1.36", "IfNotPresent"), ("reg:5000/busybox", "Always"),
    ("reg:5000/busybox:1", "IfNotPresent"), ("busybox@sha256:abc", "IfNotPresent"),
])
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


@pytest.mark.parametrize(("resources", "qos"), [
    pytest.param([{}], "BestEffort", id="nothing asked"),
    pytest.param([{"requests": {"cpu": "1"}}], "Burstable", id="a request"),
    pytest.param([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed", id="equal"),
    pytest.param([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable", id="one container without"),
    pytest.param([{"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}], "Burstable", id="less asked"),
])
def test_quality_of_service(resources: list[dict[str, Any]], qos: str) -> None:
    assert qos_class({"containers": [{"resources": item} for item in resources]}) == qos


@pytest.mark.parametrize(("spec", "container", "words"), [
    pytest.param({"containers": []}, {}, "spec.containers: Required value", id="no containers"),
    pytest.param({}, {"name": "C"}, 'spec.containers[0].name: Invalid value: "C": a lowercase RFC 1123 label must consist of', id="name"),
    pytest.param({}, {"image": ""}, "spec.containers[0].image: Required value", id="no image"),
    pytest.param({"initContainers": [{"name": "c", "image": "x"}]}, {}, 'spec.initContainers[0].name: Duplicate value: "c"',
                 id="duplicate"),
    pytest.param({"restartPolicy": "Sometimes"}, {},
                 'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
                 id="restartPolicy"),
    pytest.param({}, {"ports": [{"containerPort": 70000}]},
                 "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
                 id="port range"),
    pytest.param({}, {"ports": [{"containerPort": 80, "protocol": "ICMP"}]}, 'spec.containers[0].ports[0].protocol: Unsupported value: '
                 '"ICMP": supported values: "SCTP", "TCP", "UDP"', id="protocol"),
    pytest.param({}, {"volumeMounts": [{"name": "v", "mountPath": "/x"}]}, 'spec.containers[0].volumeMounts[0].name: Not found: "v"',
                 id="mount without volume"),
    pytest.param({"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]}, {},
                 "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type", id="two sources"),
    pytest.param({}, {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}, "spec.containers[0].resources.requests: Invalid "
                 'value: "2": must be less than or equal to cpu limit of 1', id="request above limit"),
    pytest.param({}, {"resources": {"limits": {"disk": "1"}}}, "spec.containers[0].resources.limits[disk]: Invalid value: \"disk\": must "
                 "be a standard resource type or fully qualified", id="unknown resource"),
    pytest.param({}, {"livenessProbe": {}}, "spec.containers[0].livenessProbe: Required value: must specify a handler type",
                 id="no handler"),
    pytest.param({}, {"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}},
                 "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1", id="liveness threshold"),
    pytest.param({}, {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
                 'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty', id="env twice"),
    pytest.param({"tolerations": [{"operator": "Equal", "value": "x"}]}, {}, "operator must be Exists when `key` is empty",
                 id="toleration"),
    pytest.param({"activeDeadlineSeconds": 0}, {},
                 "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive", id="deadline"),
    pytest.param({"hostNetwork": True}, {"ports": [{"containerPort": 80, "hostPort": 81}]},
                 "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
                 id="hostPort"),
])
def test_rules(spec: dict[str, Any], container: dict[str, Any], words: str) -> None:
    assert words in " | ".join(problems(pod(spec, container)))


def test_a_plain_pod_is_fine() -> None:
    assert problems(pod()) == []


def change(change_spec: dict[str, Any], **old_spec: Any) -> list[str]:
    old = pod(dict(old_spec), {"image": "busybox:1"})
    old["metadata"].update(uid="u", resourceVersion="1", creationTimestamp="2026-01-01T00:00:00Z", generation=1)
    new = copy.deepcopy(old)
    for key, value in change_spec.items():
        if key == "image":
            new["spec"]["containers"][0]["image"] = value
        else:
            new["spec"][key] = value
    STRATEGY.prepare_for_update(new, old)
    assert new["metadata"]["generation"] == (1 if new["spec"] == old["spec"] else 2)
    return [f"{cause.field}: {cause.message}" for cause in STRATEGY.validate_update(new, old)]


@pytest.mark.parametrize("changes", [
    pytest.param({"image": "busybox:2"}, id="image"),
    pytest.param({"activeDeadlineSeconds": 5}, id="deadline set"),
    pytest.param({"tolerations": [{"key": "a", "operator": "Exists"}]}, id="toleration added"),
])
def test_changes_that_are_allowed(changes: dict[str, Any]) -> None:
    assert change(changes) == []


def test_other_changes_are_refused_with_upstreams_sentence() -> None:
    (text,) = change({"nodeName": "n2"})
    assert text.startswith(
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n")


@pytest.mark.parametrize(("changes", "old", "words"), [
    pytest.param({"activeDeadlineSeconds": 9}, {"activeDeadlineSeconds": 5}, "must be less than or equal to previous value", id="longer"),
    pytest.param({"tolerations": []}, {"tolerations": [{"key": "a", "operator": "Exists"}]},
                 "existing toleration can not be modified except its tolerationSeconds", id="toleration removed"),
    pytest.param({"containers": []}, {}, "pod updates may not add or remove containers", id="container removed"),
])
def test_changes_that_are_refused(changes: dict[str, Any], old: dict[str, Any], words: str) -> None:
    assert words in " | ".join(change(changes, **old))


def test_a_status_update_takes_the_status_and_nothing_of_the_spec() -> None:
    old = pod(status={"phase": "Pending", "qosClass": "BestEffort"})
    old["metadata"].update(uid="u", ownerReferences=[{"uid": "o"}])
    new = {"metadata": {**old["metadata"], "labels": {"a": "b"}, "ownerReferences": []}, "spec": {"nodeName": "evil"},
           "status": {"phase": "Running"}}

    STRATEGY.prepare_for_status_update(new, old)

    assert new["spec"] == old["spec"]
    assert new["status"] == {"phase": "Running", "qosClass": "BestEffort"}
    assert new["metadata"]["labels"] == {"a": "b"}
    assert new["metadata"]["ownerReferences"] == [{"uid": "o"}]


def test_fields_for_selectors() -> None:
    obj = pod({"nodeName": "n1"}, status={"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]})
    assert STRATEGY.fields(obj) == {
        "metadata.name": "p", "metadata.namespace": "d", "spec.nodeName": "n1", "spec.restartPolicy": "Always",
        "spec.schedulerName": "default-scheduler", "spec.serviceAccountName": "", "spec.hostNetwork": "false", "status.phase": "Running",
        "status.podIP": "10.0.0.1", "status.nominatedNodeName": "", "spec.host": "n1", "status.podIPs": "",
    }
    assert STRATEGY.unsupported_field("spec.foo") == "field label not supported: spec.foo"
    assert STRATEGY.unsupported_field("spec.nodeName") == ""


@pytest.mark.parametrize("path", ["../../../etc/cron.d/x", "/etc/cron.d/x", "..data", "a/../../b", ""])
@pytest.mark.parametrize(("source", "where"), [
    pytest.param({"serviceAccountToken": {"expirationSeconds": 600}}, "path", id="token"),      # upstream names the volume
    pytest.param({"clusterTrustBundle": {"name": "b"}}, "sources[0].clusterTrustBundle.path", id="trust bundle"),
])
def test_files_of_projected_volumes_stay_in_them(source: dict[str, Any], where: str, path: str) -> None:
    (kind, content), = source.items()
    volume = {"name": "v", "projected": {"sources": [{kind: {**content, "path": path}}]}}

    assert any(problem.startswith(f"spec.volumes[0].projected.{where}: ") for problem in problems(pod({"volumes": [volume]})))


@pytest.mark.parametrize(("name", "more", "said"), [
    pytest.param("/etc/passwd", {}, "must have at most 253 characters and match regex", id="absolute"),
    pytest.param("net.ipv4/../../x", {}, "must have at most 253 characters and match regex", id="climbing"),
    pytest.param("net.ipv4.tcp_syncookies", {"hostNetwork": True}, "may not be specified when 'hostNetwork' is true", id="host network"),
    pytest.param("kernel.shm_rmid_forced", {"hostIPC": True}, "may not be specified when 'hostIPC' is true", id="host ipc"),
])
def test_sysctl_names_stay_in_proc_sys(name: str, more: dict[str, Any], said: str) -> None:
    (problem,) = problems(pod({"securityContext": {"sysctls": [{"name": name, "value": "1"}]}, **more}))

    assert problem.startswith("spec.securityContext.sysctls[0].name") and said in problem


def test_names_of_hosts_cannot_bring_lines_of_their_own() -> None:
    found = problems(pod({"hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a\n6.6.6.6 bank.example"]}],
                          "dnsConfig": {"searches": ["a\nnameserver 6.6.6.6", "_tcp.example.com.", "."]}}))

    assert [problem.partition(":")[0] for problem in found] == ["spec.dnsConfig.searches[0]", "spec.hostAliases[0].hostnames[0]"]
