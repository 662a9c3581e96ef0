"""Plugins that are off by default, and those that ask who may. The cases are those of upstream's unit tests."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from control_plane.apiserver.admission.event_rate_limit import Buckets, Limit
from control_plane.apiserver.admission.plugin import Later, Operation
from control_plane.apiserver.admission.tolerations import merged, within
from control_plane.apiserver.authentication.user import UserInfo
from kube.apimachinery.errors import Forbidden, TooManyRequests
from kube.apimachinery.meta import JsonObject
from kube.process.config import ConfigError
from tests.support.admission import admit, chain, new, pod, refusal, request
from tests.support.memory_store import MemoryStore, memory_cache


async def test_images_are_always_pulled() -> None:
    made = await admit(request(pod(
        "x", {"name": "a", "image": "i", "imagePullPolicy": "IfNotPresent"}, initContainers=[{"name": "b", "image": "i"}],
        volumes=[{"name": "v", "image": {"reference": "i"}}],
    )), "AlwaysPullImages")
    old = pod("x", {"name": "a", "image": "i", "imagePullPolicy": "Never"})
    labelled = await admit(request(old, Operation.UPDATE, old=old), "AlwaysPullImages")

    assert [one["imagePullPolicy"] for one in (*made["spec"]["containers"], *made["spec"]["initContainers"])] == ["Always", "Always"]
    assert made["spec"]["volumes"][0]["image"]["pullPolicy"] == "Always"
    assert labelled["spec"]["containers"][0]["imagePullPolicy"] == "Never"
    async with memory_cache() as (_, cache):
        with pytest.raises(Forbidden) as refused:
            await chain(cache, "AlwaysPullImages").validate(request(old))
    assert str(refused.value) == (
        'pods "x" is forbidden: spec.containers[0].imagePullPolicy: Unsupported value: "Never": supported values: "Always"'
    )


async def test_services_get_no_new_external_addresses() -> None:
    plain, two, one = (new("Service", spec={"externalIPs": ips}) for ips in ([], ["192.0.2.1", "192.0.2.2"], ["192.0.2.2"]))

    await admit(request(plain), "DenyServiceExternalIPs")
    await admit(request(one, Operation.UPDATE, old=two), "DenyServiceExternalIPs")
    for asked in (request(one), request(two, Operation.UPDATE, old=one)):
        assert await refusal(asked, "DenyServiceExternalIPs") == (
            'services "x" is forbidden: Use of external IPs is denied by admission control'
        )


async def test_pods_keep_others_off_a_node_only() -> None:
    def apart(key: str) -> JsonObject:
        return pod("x", affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": key}]}})

    await admit(request(apart("kubernetes.io/hostname")), "LimitPodHardAntiAffinityTopology")
    assert await refusal(request(apart("zone")), "LimitPodHardAntiAffinityTopology") == (
        'pods "x" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key '
        "kubernetes.io/hostname is allowed"
    )


async def test_some_say_always_the_same() -> None:
    await admit(request(pod()), "AlwaysAdmit")
    for operation in (Operation.CREATE, Operation.DELETE, Operation.CONNECT):
        assert await refusal(request(pod(), operation), "AlwaysDeny") == (
            'pods "x" is forbidden: admission control is denying all modifications'
        )


async def test_a_namespace_must_be_there_or_is_made() -> None:
    nowhere = new("ConfigMap", namespace="nowhere")
    assert await refusal(request(nowhere), "NamespaceExists") == 'namespaces "nowhere" not found'
    await admit(request(new("ConfigMap")), "NamespaceExists")

    async with memory_cache() as (store, cache):
        later = Later(create=_creates(store))
        plugin = chain(cache, "NamespaceAutoProvision", later=later)
        await plugin.admit(request(nowhere, dry_run=True))
        assert (await store.range("/registry/namespaces/")).total == 0
        await plugin.admit(request(nowhere))
        await plugin.admit(request(nowhere))
        assert (await store.range("/registry/namespaces/")).total == 1


def _creates(store: MemoryStore) -> Any:
    async def create(obj: JsonObject) -> None:
        await store.put(obj)

    return create


async def test_extended_resources_are_tolerated() -> None:
    def asking(name: str, *names: str) -> JsonObject:
        return {"name": name, "resources": {"requests": dict.fromkeys(names, "1")}}

    gpu = {"key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    fpga = {**gpu, "key": "example.com/fpga"}
    made = await admit(
        request(pod("x", asking("a", "example.com/gpu", "cpu"), initContainers=[asking("i", "example.com/fpga")])),
        "ExtendedResourceToleration",
    )
    again = await admit(request(made), "ExtendedResourceToleration")
    assert made["spec"]["tolerations"] == again["spec"]["tolerations"] == [fpga, gpu]
    assert "tolerations" not in (await admit(request(pod()), "ExtendedResourceToleration"))["spec"]


def annotated(**annotations: str) -> JsonObject:
    return new("Namespace", "default", namespace="", metadata={
        "annotations": {f"scheduler.alpha.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()},
    })


async def test_a_namespaces_node_selector_is_its_pods() -> None:
    held = annotated(node_selector="infra=false, disk=ssd")
    selectors = {"clusterDefaultNodeSelector": "all=yes", "default": "disk=ssd,all=yes"}
    configured = {"PodNodeSelector": {"podNodeSelectorPluginConfig": selectors}}

    made = await admit(request(pod("x", nodeSelector={"a": "b"})), "PodNodeSelector", held)
    default = await admit(request(pod()), "PodNodeSelector", configuration=configured)
    conflict = await refusal(request(pod("x", nodeSelector={"disk": "hdd"})), "PodNodeSelector", held)
    beyond = await refusal(request(pod("x", nodeSelector={"a": "b"})), "PodNodeSelector", configuration=configured)

    assert made["spec"]["nodeSelector"] == {"infra": "false", "disk": "ssd", "a": "b"}
    assert default["spec"]["nodeSelector"] == {"all": "yes"}
    assert conflict == 'pods "x" is forbidden: pod node label selector conflicts with its namespace node label selector'
    assert beyond == 'pods "x" is forbidden: pod node label selector labels conflict with its namespace whitelist'
    assert await refusal(request(pod()), "PodNodeSelector", annotated(node_selector="a")) == "invalid selector: [a]"


T = {"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}


@pytest.mark.parametrize(("first", "second", "result"), [
    pytest.param([T], [T], [T], id="same"),
    pytest.param([T], [{"operator": "Exists"}], [{"operator": "Exists"}], id="everything"),
    pytest.param([T], [{**T, "value": "w"}], [T, {**T, "value": "w"}], id="other value"),
    pytest.param([T], [{**T, "effect": ""}], [{**T, "effect": ""}], id="all effects"),
    pytest.param(
        [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        [{"key": "k", "operator": "Exists", "effect": "NoExecute"}],
        [{"key": "k", "operator": "Exists", "effect": "NoExecute"}], id="for ever",
    ),
])
def test_tolerations_are_merged(first: list[JsonObject], second: list[JsonObject], result: list[JsonObject]) -> None:
    assert merged(first, second) == result
    assert within(first, result)


async def test_a_namespaces_tolerations_are_its_pods() -> None:
    held = annotated(defaultTolerations='[{"key":"k","operator":"Equal","value":"v","effect":"NoSchedule"}]',
                     tolerationsWhitelist='[{"key":"k","operator":"Exists"},{"key":"node.kubernetes.io/memory-pressure","operator":"Exists"}]')
    pressure = {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}
    burstable = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}
    configured = {"PodTolerationRestriction": {
        "apiVersion": "podtolerationrestriction.admission.k8s.io/v1alpha1", "kind": "Configuration", "default": [T], "whitelist": [T],
    }}

    made = await admit(request(pod("x", burstable)), "PodTolerationRestriction", held)
    default = await admit(request(pod()), "PodTolerationRestriction", configuration=configured)
    other = pod("x", tolerations=[{"key": "other", "operator": "Exists"}])

    assert made["spec"]["tolerations"] == [T, pressure]
    assert default["spec"]["tolerations"] == [T]
    assert await refusal(request(other), "PodTolerationRestriction", held) == (
        "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist"
    )
    assert (await refusal(request(other), "PodTolerationRestriction", configuration=configured)).endswith("its cluster whitelist")


def event(namespace: str = "default", component: str = "c") -> JsonObject:
    return new("Event", namespace=namespace, source={"component": component}, involvedObject={"kind": "Pod", "name": "p"})


def test_tokens_come_back() -> None:
    buckets, asked, now = Buckets(Limit(type="User", qps=2, burst=1, cache_size=1)), request(event()), time.monotonic()
    said = [bool(buckets.refusal(asked, now + after)) for after in (0.0, 0.1, 0.6, 0.7, 10.0, 10.1)]
    assert said == [False, True, False, True, False, True]
    buckets.refusal(request(event(), user=UserInfo("other")), now + 10.2)
    assert not buckets.refusal(asked, now + 10.2)      # forgotten


async def test_events_come_no_faster_than_configured() -> None:
    configured = {"EventRateLimit": {
        "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1", "kind": "Configuration",
        "limits": [{"type": "Namespace", "qps": 1, "burst": 1}, {"type": "SourceAndObject", "qps": 1, "burst": 2}],
    }}
    async with memory_cache() as (_, cache):
        plugin = chain(cache, "EventRateLimit", configured)
        await plugin.validate(request(event()))
        await plugin.validate(request(event(), dry_run=True))
        await plugin.validate(request(pod()))
        await plugin.validate(request(event("other")))
        with pytest.raises(TooManyRequests, match="Too many requests: limit reached on type Namespace for key default"):
            await plugin.validate(request(event(component="d")))


@pytest.mark.parametrize(("plugin", "given", "why"), [
    ("EventRateLimit", None, "limits: Invalid value: \\[\\]: must not be empty"),
    ("EventRateLimit", {"limits": [{"type": "Server"}]}, "limits\\[0\\].burst: Invalid value: 0: must be positive"),
    ("EventRateLimit", {"limits": [{"type": "X", "qps": 1, "burst": 1}]}, 'limits\\[0\\].type: Unsupported value: "X"'),
    ("ImagePolicyWebhook", None, "no config specified"),
    ("ImagePolicyWebhook", {"imagePolicy": {"allowTTL": 3600}}, "valid value is between 1s and 30m0s, got 3600s"),
    ("PodNodeSelector", {"podNodeSelectorPluginConfig": {"a": "b"}}, "invalid selector"),
    ("PodTolerationRestriction", {"defaults": []}, "unknown field"),
])
async def test_wrong_configurations_are_refused(plugin: str, given: JsonObject | None, why: str) -> None:
    if plugin == "EventRateLimit" and given:
        given = {"apiVersion": "eventratelimit.admission.k8s.io/v1alpha1", "kind": "Configuration", **given}
    async with memory_cache() as (_, cache):
        with pytest.raises(ConfigError, match=why):
            chain(cache, plugin, {} if given is None else {plugin: given})


def may(verb: str, resource: str, group: str = "", *, name: str = "") -> list[JsonObject]:
    """Bob's right."""
    api = "rbac.authorization.k8s.io"
    rule = {"verbs": [verb], "apiGroups": [group], "resources": [resource], **({"resourceNames": [name]} if name else {})}
    subject, role = {"apiGroup": api, "kind": "User", "name": "bob"}, {"apiGroup": api, "kind": "ClusterRole", "name": f"r-{verb}"}
    return [
        new("ClusterRole", f"r-{verb}", api_version=f"{api}/v1", namespace="", rules=[rule]),
        new("ClusterRoleBinding", f"r-{verb}", api_version=f"{api}/v1", namespace="", roleRef=role, subjects=[subject]),
    ]


def owned(*, blocking: bool, kind: str = "Deployment") -> JsonObject:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "d", "uid": "u", "blockOwnerDeletion": blocking}
    return new("ConfigMap", metadata={"ownerReferences": [owner]})


async def test_owners_are_set_by_those_who_may() -> None:
    plugin, plain = "OwnerReferencesPermissionEnforcement", new("ConfigMap")
    delete, finalize = may("delete", "configmaps"), may("update", "deployments/finalizers", "apps", name="d")

    await admit(request(owned(blocking=False)), plugin)
    await admit(request(owned(blocking=True)), plugin, *finalize)
    await admit(request(owned(blocking=False), Operation.UPDATE, old=plain), plugin, *delete)
    await admit(request(owned(blocking=True), Operation.UPDATE, old=owned(blocking=True)), plugin)
    assert "cannot set an ownerRef on a resource you can't delete: " in await refusal(
        request(owned(blocking=False), Operation.UPDATE, old=plain), plugin)
    assert "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: " in await refusal(
        request(owned(blocking=True), Operation.UPDATE, old=owned(blocking=False)), plugin, *delete)
    assert await refusal(request(owned(blocking=True, kind="X")), plugin) == (
        'configmaps "x" is forbidden: cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion apps/v1 '
        'Kind X: no matches for kind "X" in version "apps/v1"'
    )


async def test_trust_anchors_are_attested_by_those_who_may() -> None:
    def bundle(signer: str = "", anchors: str = "a", **metadata: Any) -> JsonObject:
        spec = {"trustBundle": anchors} | ({"signerName": signer} if signer else {})
        return new("ClusterTrustBundle", api_version="certificates.k8s.io/v1", namespace="", spec=spec, metadata=metadata)

    plugin, signer = "ClusterTrustBundleAttest", "example.com/s"
    words = f'clustertrustbundles.certificates.k8s.io "x" is forbidden: user not permitted to attest for signerName "{signer}"'
    await admit(request(bundle()), plugin)
    await admit(request(bundle(signer)), plugin, *may("attest", "signers", "certificates.k8s.io", name="example.com/*"))
    await admit(request(bundle(signer, finalizers=["f"]), Operation.UPDATE, old=bundle(signer)), plugin)
    assert await refusal(request(bundle(signer)), plugin) == words
    assert await refusal(request(bundle(signer, "b"), Operation.UPDATE, old=bundle(signer)), plugin) == words


async def test_a_webhook_judges_images(tmp_path: Path) -> None:
    asked: list[JsonObject] = []

    async def judge(http: web.Request) -> web.Response:
        asked.append(review := await http.json())
        bad = [one["image"] for one in review["spec"]["containers"] if one["image"].startswith("bad")]
        status = {"allowed": not bad, "reason": " ".join(bad), "auditAnnotations": {"seen": "yes"}}
        answer = web.json_response({**review, "status": status}, status=400 if "broken" in str(review) else 200)
        answer.force_close()
        return answer

    app = web.Application()
    app.router.add_post("/", judge)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps({
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": address}}],
    }))
    settings = {"kubeConfigFile": str(file)}
    open_, closed = ({"ImagePolicyWebhook": {"imagePolicy": {**settings, "defaultAllow": allow}}} for allow in (True, False))
    named = {"annotations": {"x.image-policy.k8s.io/ticket": "1", "other": "2"}}
    good, broken = request(pod("x", {"name": "c", "image": "good"}, metadata=named)), pod("x", {"name": "c", "image": "broken"})
    try:
        async with memory_cache() as (_, cache):
            plugin = chain(cache, "ImagePolicyWebhook", closed)
            await plugin.validate(good)
            await plugin.validate(copy.deepcopy(good))
        denied = await refusal(request(pod("x", {"name": "c", "image": "bad:1"})), "ImagePolicyWebhook", configuration=closed)
        assert "forbidden: the server answered 400" in await refusal(request(broken), "ImagePolicyWebhook", configuration=closed)
        failed = request(broken)
        await admit(failed, "ImagePolicyWebhook", configuration=open_)
    finally:
        await runner.cleanup()

    assert asked[0]["spec"] == {
        "namespace": "default", "containers": [{"image": "good"}], "annotations": {"x.image-policy.k8s.io/ticket": "1"},
    }
    assert [one["spec"]["containers"][0]["image"] for one in asked] == ["good", "bad:1", "broken", "broken"]      # answers are kept
    assert good.annotations == {"imagepolicywebhook.image-policy.k8s.io/seen": "yes"}
    assert denied == 'pods "x" is forbidden: image policy webhook backend denied one or more images: bad:1'
    assert failed.annotations == {"imagepolicywebhook.image-policy.k8s.io/failed-open": "true"}
