"""Every rule of a Pod: one object that breaks it, and the sentence a client then reads."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.strategies.pods import PodStrategy
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.errors import invalid
from kube.apimachinery.resources import SCHEME

PODS = SCHEME.for_path("", "v1", "pods")
assert PODS is not None
STRATEGY = strategy_for(PODS)
assert isinstance(STRATEGY, PodStrategy)
HTTP = {"httpGet": {"port": 80}}


def pod(spec: dict[str, Any] | None = None, container: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    obj = {"metadata": {"name": "p", "namespace": "d", **metadata}, "spec": copy.deepcopy({
        "serviceAccountName": "default", "containers": [{"name": "c", "image": "busybox:1", **(container or {})}], **(spec or {})})}
    STRATEGY.default(obj)
    return obj


def problems(obj: dict[str, Any]) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in STRATEGY.validate(obj)]


@pytest.mark.parametrize(("spec", "container"), [
    pytest.param({}, {"livenessProbe": HTTP, "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}, id="probe and hook"),
    pytest.param({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
                 {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/b", "mountPropagation": "HostToContainer"}]}, id="mount"),
    pytest.param({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
                 {"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}, id="device"),
    pytest.param({"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}]}, {}, id="ephemeral volume"),
    pytest.param({"initContainers": [{"name": "i", "image": "x", "restartPolicy": "Always", "readinessProbe": HTTP}]}, {}, id="sidecar"),
    pytest.param({"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}]}, {"resources": {"claims": [{"name": "gpu"}]}},
                 id="claim"),
    pytest.param({}, {"resources": {"limits": {"hugepages-2Mi": "4Mi", "memory": "1Gi", "example.com/gpu": 2}}}, id="resources"),
    pytest.param({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["_a.b.", "."]}}, {}, id="dns"),
    pytest.param({"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "a/b"}, "supplementalGroups": [1]}},
                 {"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}}, id="profiles"),
    pytest.param({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2,
                                                 "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["h"]}]}, {}, id="spread"),
    pytest.param({}, {"env": [{"name": "A.b c", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}},
                              {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}]}, id="env"),
    pytest.param({"os": {"name": "linux"}}, {"lifecycle": {"stopSignal": "SIGUSR1"}}, id="stop signal"),
])
def test_pods_in_order(spec: dict[str, Any], container: dict[str, Any]) -> None:
    assert problems(pod(spec, container)) == []


_SPREAD = {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
_RULES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("no handler", {}, {"readinessProbe": {}}, "spec.containers[0].readinessProbe: Required value: must specify a handler type"),
    ("two handlers", {}, {"livenessProbe": {**HTTP, "tcpSocket": {"port": 1}}},
     "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"),
    ("negative number", {}, {"livenessProbe": {**HTTP, "periodSeconds": -1}},
     "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"),
    ("grace of readiness", {}, {"readinessProbe": {**HTTP, "terminationGracePeriodSeconds": 3}},
     "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 3: must not be set for readinessProbes"),
    ("scheme", {}, {"livenessProbe": {"httpGet": {"port": 80, "scheme": "FTP"}}},
     'spec.containers[0].livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"'),
    ("sleep", {}, {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
     "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
     "terminationGracePeriodSeconds (30)"),
    ("stop signal without os", {}, {"lifecycle": {"stopSignal": "SIGTERM"}},
     "spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"),
    ("port name twice", {}, {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
     'spec.containers[0].ports[1].name: Duplicate value: "a"'),
    ("host port twice", {}, {"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]},
     'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//5"'),
    ("protocol", {}, {"ports": [{"containerPort": 1, "protocol": "tcp"}]},
     'spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'),
    ("env name", {}, {"env": [{"name": "a=b"}]}, 'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name '
     "must consist only of printable ASCII characters other than '='"),
    ("env field", {}, {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
     'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", '
     '"metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", '
     '"status.podIP", "status.podIPs"'),
    ("env divisor", {}, {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Gi"}}}]},
     'spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1 are '
     "supported with the cpu resource"),
    ("envFrom of nothing", {}, {"envFrom": [{}]},
     'spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'),
    ("unknown volume", {}, {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, 'spec.containers[0].volumeMounts[0].name: Not found: "v"'),
    ("bidirectional", {"volumes": [{"name": "v"}]},
     {"volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]},
     "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to "
     "privileged containers"),
    ("device of a directory", {"volumes": [{"name": "v"}]}, {"volumeDevices": [{"name": "v", "devicePath": "/d"}]},
     'spec.containers[0].volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral '
     "for block mode"),
    ("huge pages alone", {}, {"resources": {"limits": {"hugepages-2Mi": "2Mi"}}},
     "spec.containers[0].resources: Forbidden: HugePages require cpu or memory"),
    ("unknown claim", {}, {"resources": {"claims": [{"name": "x"}]}},
     'spec.containers[0].resources.claims[0]: Not found: "x": must be one of '
     "the names in pod.spec.resourceClaims which is empty"),
    ("resize of a Pod that never restarts", {"restartPolicy": "Never"},
     {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]},
     "spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'"),
    ("privileged without escalation", {}, {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
     'spec.containers[0].securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set '
     "`allowPrivilegeEscalation` to false and `privileged` to true"),
    ("seccomp", {"securityContext": {"seccompProfile": {"type": "Localhost"}}}, {},
     "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"),
    ("group change policy", {"securityContext": {"fsGroupChangePolicy": "Never"}}, {},
     'spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"'),
    ("init container's probe", {"initContainers": [{"name": "i", "image": "x", "livenessProbe": HTTP}]}, {},
     "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"),
    ("init container's name", {"initContainers": [{"name": "c", "image": "x"}]}, {}, 'spec.initContainers[0].name: Duplicate value: "c"'),
    ("ephemeral container", {"ephemeralContainers": [{"name": "e", "image": "x"}]}, {},
     "spec.ephemeralContainers: Forbidden: cannot be set on create"),
    ("nfs", {"volumes": [{"name": "v", "nfs": {"server": "s", "path": "x"}}]}, {},
     'spec.volumes[0].nfs.path: Invalid value: "x": must be an absolute path'),
    ("host path type", {"volumes": [{"name": "v", "hostPath": {"path": "/x", "type": "Dir"}}]}, {},
     'spec.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", '
     '"DirectoryOrCreate", "File", "FileOrCreate", "Socket"'),
    ("mode", {"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 512}}]}, {},
     "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"),
    ("claim of an ephemeral volume", {"volumes": [{"name": "v", "ephemeral": {}}]}, {},
     "spec.volumes[0].ephemeral.volumeClaimTemplate: Required value"),
    ("gates and a node", {"nodeName": "n", "schedulingGates": [{"name": "g"}]}, {},
     "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"),
    ("spread twice", {"topologySpreadConstraints": [_SPREAD, _SPREAD]}, {},
     'spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, ScheduleAnyway}"'),
    ("users of their own in the node's network", {"hostNetwork": True, "hostUsers": False}, {},
     "spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false"),
    ("nameservers", {"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}}, {},
     'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.1","1.1.1.1","1.1.1.1"]: must not have more than 3 nameservers'),
    ("preemption", {"preemptionPolicy": "Maybe"}, {},
     'spec.preemptionPolicy: Unsupported value: "Maybe": supported values: "PreemptLowerPriority", "Never"'),
    ("os", {"os": {"name": "plan9"}}, {}, 'spec.os: Unsupported value: "plan9": supported values: "linux", "windows"'),
]


@pytest.mark.parametrize(("spec", "container", "said"), [
    pytest.param(spec, container, said, id=name) for name, spec, container, said in _RULES
])
def test_what_is_wrong_is_said_as_upstream_says_it(spec: dict[str, Any], container: dict[str, Any], said: str) -> None:
    assert problems(pod(spec, container)) == [said]


def test_several_at_once_in_upstreams_order() -> None:
    causes = STRATEGY.validate(pod({"dnsPolicy": "Mine"}, {"image": "", "ports": [{"containerPort": 0}]}))

    assert PODS is not None
    assert invalid(PODS.gvk, "p", causes).message == (
        'Pod "p" is invalid: [spec.containers[0].image: Required value, spec.containers[0].ports[0].containerPort: Required value, '
        'spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]')


@pytest.mark.parametrize(("spec", "container", "said"), [
    pytest.param({}, {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
                 'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply', id="env"),
    pytest.param({}, {"ports": [{"containerPort": 80}, {"containerPort": 80, "name": "b"}]},
                 "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]", id="ports"),
    pytest.param({"nodeSelector": {"beta.kubernetes.io/os": "linux"}}, {},
                 'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead', id="label"),
    pytest.param({"volumes": [{"name": "v", "gitRepo": {"repository": "r"}}]}, {}, "spec.volumes[0].gitRepo: deprecated in v1.11",
                 id="gitRepo"),
    pytest.param({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}, {}, 'spec.imagePullSecrets[1].name: duplicate name "a"',
                 id="secrets"),
    pytest.param({}, {"resources": {"requests": {"memory": "0.5"}}},
                 'spec.containers[0].resources.requests[memory]: fractional byte value "500m" is invalid, must be an integer',
                 id="half a byte"),
])
def test_what_is_odd_is_warned_of(spec: dict[str, Any], container: dict[str, Any], said: str) -> None:
    obj = pod(spec, container)

    assert (STRATEGY.validate(obj), STRATEGY.warnings(obj, None)) == ([], [said])


def test_a_resize_changes_cpu_and_memory_alone() -> None:
    old = pod({}, {"resources": {"requests": {"cpu": "1"}}})
    STRATEGY.prepare_for_create(old)
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "2"
    assert STRATEGY.validate_subresource_update(new, old, "resize") == []

    new["spec"]["containers"][0]["resources"]["requests"] = {}
    said = [cause.message for cause in STRATEGY.validate_subresource_update(new, old, "resize")]
    assert said == ["Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing",
                    "Forbidden: resource requests cannot be removed"]


def test_ephemeral_containers_stay_as_they_were_added() -> None:
    old = pod()
    old["spec"]["ephemeralContainers"] = [{"name": "e", "image": "x"}]
    STRATEGY.default(old)
    new = copy.deepcopy(old)
    new["spec"]["ephemeralContainers"] = []

    (cause,) = STRATEGY.validate_subresource_update(new, old, "ephemeralcontainers")
    assert (cause.field, cause.message) == ("spec.ephemeralContainers", 'Forbidden: existing ephemeral containers "e" may not be removed\n')


def test_a_negative_grace_period_of_a_pod_is_one_second() -> None:
    obj = pod({"terminationGracePeriodSeconds": -1})

    assert (obj["spec"]["terminationGracePeriodSeconds"], problems(obj), STRATEGY.warnings(obj, None)) == (1, [], [])


@pytest.mark.parametrize(("volumes", "said"), [
    pytest.param([{"name": "v", "emptyDir": {}}], [], id="emptyDir"),
    pytest.param([{"name": "w", "emptyDir": {}}], ['Not found: "v"'], id="no such volume"),
    pytest.param(
        [{"name": "v", "configMap": {"name": "c"}}], ['Invalid value: "v": referenced volume must be of type emptyDir'], id="other"),
])
def test_variables_out_of_files_need_an_empty_dir(volumes: list[dict[str, Any]], said: list[str]) -> None:
    reference = {"fileKeyRef": {"volumeName": "v", "path": "f", "key": "K"}}
    obj = pod({"volumes": volumes}, {"env": [{"name": "A", "valueFrom": reference}]})

    assert problems(obj) == [f"spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: {text}" for text in said]
