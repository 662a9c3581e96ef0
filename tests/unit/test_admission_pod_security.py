"""PodSecurity: checks of the standards, modes, versions, exemptions. Cases and words are those of pod-security-admission's tests."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from control_plane.apiserver.admission.plugin import Operation
from control_plane.apiserver.admission.pod_security.levels import LATEST, LevelVersion, parse_version
from control_plane.apiserver.admission.pod_security.pod import PodView
from control_plane.apiserver.admission.pod_security.registry import violations
from control_plane.apiserver.authentication.user import UserInfo
from kube.apimachinery.errors import Forbidden, Invalid
from kube.apimachinery.meta import JsonObject
from kube.process.config import ConfigError
from tests.support.admission import admit, chain, new, pod, refusal, request
from tests.support.memory_store import memory_cache

P = "pod-security.kubernetes.io/"
GOOD_CONTAINER: JsonObject = {
    "name": "c", "image": "i", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
GOOD: JsonObject = {
    "containers": [GOOD_CONTAINER], "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}
CONFIGURATION = "pod-security.admission.config.k8s.io/v1"


def spec(container: JsonObject | None = None, security: JsonObject | None = None, **fields: Any) -> JsonObject:
    """A restricted Pod's, changed; `container` and `security` go into securityContext (unless they name another key of a container)."""
    changed = copy.deepcopy(GOOD)
    changed["securityContext"].update(security or {})
    for key, value in (container or {}).items():
        (changed["containers"][0] if key in ("ports", "livenessProbe") else changed["containers"][0]["securityContext"])[key] = value
    return {**changed, **fields}


def namespace(labels: Mapping[str, str] | None = None, name: str = "default") -> JsonObject:
    held = {P + key: value for key, value in (labels or {}).items()}
    return new("Namespace", name, namespace="", metadata={"labels": held}, status={"phase": "Active"})


def said(changed: JsonObject, level: str, minor: int = LATEST, annotations: Mapping[str, str] | None = None) -> list[str]:
    return [str(one) for one in violations(LevelVersion(level, minor), PodView({"annotations": dict(annotations or {})}, changed))]


def configuration(**keys: Any) -> dict[str, JsonObject]:
    return {"PodSecurity": {"apiVersion": CONFIGURATION, "kind": "PodSecurityConfiguration", **keys}}


@pytest.mark.parametrize(("changed", "why"), [
    pytest.param(spec({"appArmorProfile": {"type": "Unconfined"}}),
                 'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")', id="apparmor"),
    pytest.param(spec({"capabilities": {"add": ["NET_RAW", "CHOWN"], "drop": ["ALL"]}}),
                 'non-default capabilities (container "c" must not include "NET_RAW" in securityContext.capabilities.add)',
                 id="capabilities"),
    pytest.param(spec(hostNetwork=True, hostPID=True), "host namespaces (hostNetwork=true, hostPID=true)", id="host namespaces"),
    pytest.param(spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), 'hostPath volumes (volume "v")', id="hostPath"),
    pytest.param(spec({"ports": [{"containerPort": 1, "hostPort": 80}, {"containerPort": 2, "hostPort": 9}]}),
                 'hostPort (container "c" uses hostPorts 80, 9)', id="hostPort"),
    pytest.param(spec({"livenessProbe": {"httpGet": {"host": "a.example", "port": 1}}}),
                 'probe or lifecycle host (container "c" uses probe or lifecycle host "a.example")', id="probe host"),
    pytest.param(spec({"privileged": True}), 'privileged (container "c" must not set securityContext.privileged=true)', id="privileged"),
    pytest.param(spec({"procMount": "Unmasked"}),
                 'procMount (container "c" must not set securityContext.procMount to "Unmasked")', id="procMount"),
    pytest.param(spec(security={"seLinuxOptions": {"type": "x", "user": "u"}}),
                 'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)', id="selinux"),
    pytest.param(spec(security={"seccompProfile": {"type": "Unconfined"}}),
                 'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")', id="seccomp"),
    pytest.param(spec(security={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "forbidden sysctls (kernel.msgmax)", id="sysctls"),
    pytest.param(spec(security={"windowsOptions": {"hostProcess": True}}),
                 "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)", id="windows"),
])
def test_the_baseline_standard(changed: JsonObject, why: str) -> None:
    assert said(changed, "baseline") == [why]
    assert said(changed, "privileged") == said(GOOD, "baseline") == []


@pytest.mark.parametrize(("changed", "why"), [
    pytest.param(spec({"allowPrivilegeEscalation": True}),
                 'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)',
                 id="escalation"),
    pytest.param(spec({"capabilities": {}}),
                 'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"])', id="drop"),
    pytest.param(spec({"capabilities": {"drop": ["ALL"], "add": ["CHOWN", "NET_BIND_SERVICE"]}}),
                 'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)', id="add"),
    pytest.param(spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "nfs": {"server": "s", "path": "/"}}]),
                 'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")', id="volumes"),
    pytest.param(spec(security={"runAsNonRoot": None}),
                 'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)', id="root"),
    pytest.param(spec({"runAsNonRoot": False}),
                 'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)', id="root said"),
    pytest.param(spec({"runAsUser": 0}), 'runAsUser=0 (container "c" must not set runAsUser=0)', id="user 0"),
    pytest.param(spec(security={"seccompProfile": None}),
                 'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
                 id="seccomp"),
])
def test_the_restricted_standard(changed: JsonObject, why: str) -> None:
    assert said(changed, "restricted") == [why]
    assert said(GOOD, "restricted") == []


@pytest.mark.parametrize(("changed", "level", "before", "since"), [
    pytest.param(spec({"allowPrivilegeEscalation": True}), "restricted", 7, 8, id="escalation comes with v1.8"),
    pytest.param(spec({"capabilities": {}}), "restricted", 21, 22, id="capabilities come with v1.22"),
    pytest.param(spec({"runAsUser": 0}), "restricted", 22, 23, id="user 0 comes with v1.23"),
    pytest.param(spec({"livenessProbe": {"tcpSocket": {"host": "h", "port": 1}}}), "baseline", 33, 34, id="probe hosts come with v1.34"),
])
def test_a_check_has_its_version(changed: JsonObject, level: str, before: int, since: int) -> None:
    assert said(changed, level, before) == []
    assert len(said(changed, level, since)) == 1


def test_versions_relax_too() -> None:
    sysctl = spec(security={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]})
    windows = spec({"allowPrivilegeEscalation": True}, os={"name": "windows"})
    own_users = spec({"runAsUser": 0}, hostUsers=False)

    assert said(sysctl, "baseline", 31) == ["forbidden sysctls (net.ipv4.tcp_rmem)"]
    assert said(sysctl, "baseline", 32) == []
    assert len(said(windows, "restricted", 24)) == 1
    assert said(windows, "restricted", 25) == []
    assert len(said(own_users, "restricted", 34)) == 1
    assert said(own_users, "restricted", 35) == []


def test_old_versions_look_at_annotations() -> None:
    app_armor = {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}
    seccomp = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
    plain = spec(security={"seccompProfile": None})

    assert said(plain, "baseline", 18, seccomp) == [
        'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    ]
    assert said(plain, "baseline", 19, seccomp) == []
    assert said(plain, "baseline", LATEST, app_armor) == [
        'forbidden AppArmor profile (annotation must not set AppArmor profile type to '
        '"container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
    ]


def test_versions_are_read() -> None:
    assert [parse_version(text) for text in ("latest", "v1.0", "v1.37", "v1.01", "1.2", "v2.0", "")] == [
        LATEST, 0, 37, None, None, None, None,
    ]


@pytest.mark.req("ADM-12")
async def test_a_root_pod_is_refused_where_restricted_is_enforced() -> None:
    held = namespace({"enforce": "restricted"})
    asked = request(pod())

    assert await refusal(asked, "PodSecurity", held) == (
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set '
        'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set '
        'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set '
        'securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
        '"RuntimeDefault" or "Localhost")'
    )
    assert asked.warnings == []
    assert asked.annotations[P + "enforce-policy"] == "restricted:latest"
    await admit(request(new("Pod", spec=GOOD)), "PodSecurity", held)
    await admit(request(pod()), "PodSecurity", namespace({"enforce": "baseline", "enforce-version": "v1.20"}))


@pytest.mark.req("ADM-12")
async def test_audit_and_warn_let_the_pod_in() -> None:
    asked = request(pod("x", hostNetwork=True))
    await admit(asked, "PodSecurity", namespace({"audit": "baseline", "audit-version": "v1.30", "warn": "baseline"}))

    assert asked.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)']
    assert asked.annotations == {
        P + "enforce-policy": "privileged:latest",
        P + "audit-violations": 'would violate PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)',
    }


@pytest.mark.parametrize(("kind", "api_version", "fields"), [
    ("Deployment", "apps/v1", {"spec": {"template": {"spec": GOOD | {"hostPID": True}}}}),
    ("Job", "batch/v1", {"spec": {"template": {"spec": GOOD | {"hostPID": True}}}}),
    ("CronJob", "batch/v1", {"spec": {"jobTemplate": {"spec": {"template": {"spec": GOOD | {"hostPID": True}}}}}}),
    ("PodTemplate", "v1", {"template": {"spec": GOOD | {"hostPID": True}}}),
    ("ReplicationController", "v1", {"spec": {"template": {"spec": GOOD | {"hostPID": True}}}}),
])
async def test_a_workload_is_warned_of_what_its_pods_will_meet(kind: str, api_version: str, fields: JsonObject) -> None:
    asked = request(new(kind, api_version=api_version, **fields))
    await admit(asked, "PodSecurity", namespace({"enforce": "baseline"}))       # what is enforced is warned of, too

    assert asked.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']
    assert asked.annotations == {}


async def test_only_what_matters_is_checked_again() -> None:
    held = namespace({"enforce": "baseline"})
    old = pod("x", hostPID=True)
    labelled = copy.deepcopy(old) | {"metadata": {**old["metadata"], "labels": {"a": "b"}}}
    other_image = pod("x", {"name": "c", "image": "j"}, hostPID=True)
    debugged = pod("x", hostPID=True, ephemeralContainers=[{"name": "d", "image": "i"}])

    await admit(request(labelled, Operation.UPDATE, old=old), "PodSecurity", held)
    await admit(request(other_image, Operation.UPDATE, old=old, subresource="status"), "PodSecurity", held)
    for changed, subresource in ((other_image, ""), (debugged, "ephemeralcontainers")):
        why = await refusal(request(changed, Operation.UPDATE, old=old, subresource=subresource), "PodSecurity", held)
        assert why.endswith('violates PodSecurity "baseline:latest": host namespaces (hostPID=true)')


@pytest.mark.parametrize(("labels", "why"), [
    pytest.param(
        {"enforce": "unknown"}, 'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "unknown": '
        "must be one of privileged, baseline, restricted", id="level",
    ),
    pytest.param(
        {"warn-version": "1.2"}, 'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.2": '
        'must be "latest" or "v1.x"', id="version",
    ),
])
async def test_labels_of_namespaces_are_checked(labels: dict[str, str], why: str) -> None:
    wrong = namespace(labels, "team")
    with pytest.raises(Invalid, match="is invalid") as refused:
        await admit(request(wrong), "PodSecurity")
    assert str(refused.value) == f'Namespace "team" is invalid: {why}'
    assert why in await refusal(request(wrong, Operation.UPDATE, old=namespace(name="team")), "PodSecurity")
    await admit(request(wrong, Operation.UPDATE, old=wrong), "PodSecurity")


async def test_a_wrong_enforce_label_that_is_there_means_restricted() -> None:
    asked = request(pod())
    assert 'violates PodSecurity "restricted:latest"' in await refusal(asked, "PodSecurity", namespace({"enforce": "nonsense"}))
    assert asked.annotations[P + "error"].startswith("Failed to parse policy: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid")


@pytest.mark.req("ADM-12")
async def test_a_stricter_level_warns_of_the_pods_that_are_there() -> None:
    def owned(name: str) -> JsonObject:
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "u", "controller": True}
        return pod(name, metadata={"ownerReferences": [owner]}, hostPID=True)

    pods = [owned("b"), owned("a"), owned("c"), pod("net", hostNetwork=True), new("Pod", "good", spec=GOOD)]
    old, new_one = namespace({"enforce": "privileged"}), namespace({"enforce": "baseline"})
    asked = request(new_one, Operation.UPDATE, old=old)
    await admit(asked, "PodSecurity", *pods)
    relaxed = request(old, Operation.UPDATE, old=new_one)
    await admit(relaxed, "PodSecurity", *pods)

    assert asked.warnings == [
        'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 3 other pods): host namespaces",
    ]
    assert relaxed.warnings == []


@pytest.mark.req("ADM-12")
async def test_exemptions_stand_in_the_configuration() -> None:
    exempt = configuration(exemptions={"usernames": ["root"], "runtimeClasses": ["vm"], "namespaces": ["free"]})
    held, free = namespace({"enforce": "restricted"}), namespace({"enforce": "restricted"}, "free")
    by_user, by_class = request(pod(), user=UserInfo("root")), request(pod("x", runtimeClassName="vm"))
    in_namespace = request(new("Pod", namespace="free", spec={"containers": []}))
    labelled = request(free)
    for asked in (by_user, by_class, in_namespace, labelled):
        await admit(asked, "PodSecurity", held, *([free] if asked is in_namespace else []), configuration=exempt)

    assert [asked.annotations[P + "exempt"] for asked in (by_user, by_class, in_namespace)] == ["user", "runtimeClass", "namespace"]
    assert labelled.warnings == [
        'namespace "free" is exempt from Pod Security, and the policy (enforce=restricted:latest) will be ignored',
    ]
    assert "violates PodSecurity" in await refusal(request(pod()), "PodSecurity", held, configuration=exempt)


async def test_the_configuration_sets_what_holds_without_labels() -> None:
    defaults = configuration(defaults={"enforce": "baseline", "enforce-version": "v1.30", "warn": "restricted"})
    assert 'violates PodSecurity "baseline:v1.30": host namespaces (hostIPC=true)' in await refusal(
        request(pod("x", hostIPC=True)), "PodSecurity", configuration=defaults,
    )
    await admit(request(pod("x", hostIPC=True)), "PodSecurity", namespace({"enforce": "privileged"}), configuration=defaults)


@pytest.mark.parametrize(("keys", "why"), [
    ({"defaults": {"enforce": "x"}}, 'defaults.enforce: Invalid value: "x": must be one of privileged, baseline, restricted'),
    ({"defaults": {"warn-version": "x"}}, 'defaults.warn-version: Invalid value: "x": must be "latest" or "v1.x"'),
    ({"exemptions": {"namespaces": ["a", "a"]}}, r'exemptions.namespaces\[1\]: Duplicate value: "a"'),
    ({"exemptions": {"usernames": [""]}}, "username must not be empty"),
    ({"exemption": {}}, "unknown field `exemption`"),
    ({"kind": "Other"}, "no kind PodSecurityConfiguration of pod-security.admission.config.k8s.io/v1"),
])
async def test_a_wrong_configuration_is_refused(keys: JsonObject, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        await admit(request(pod()), "PodSecurity", configuration=configuration(**keys))


async def test_what_was_judged_is_counted() -> None:
    registry = CollectorRegistry()
    exempt = configuration(exemptions={"namespaces": [], "usernames": ["root"]})
    async with memory_cache(namespace({"enforce": "baseline", "enforce-version": "v1.99", "audit": "restricted"})) as (_, cache):
        plugin = chain(cache, "PodSecurity", exempt, registry=registry)
        await plugin.validate(request(pod()))
        await plugin.validate(request(pod(), user=UserInfo("root")))
        with pytest.raises(Forbidden):
            await plugin.validate(request(pod("x", hostPID=True)))

    def count(name: str, **labels: str) -> float | None:
        asked = {"request_operation": "create", "resource": "pod", "subresource": ""}
        return registry.get_sample_value(f"pod_security_{name}_total", {**asked, **labels})

    enforced = {"policy_level": "baseline", "policy_version": "future", "mode": "enforce"}
    audited = {"policy_level": "restricted", "policy_version": "latest", "mode": "audit"}
    assert count("evaluations", decision="allow", **enforced) == count("evaluations", decision="deny", **enforced) == 1
    assert count("evaluations", decision="deny", **audited) == 2
    assert count("exemptions") == 1
