"""What each plugin fills in, and what it refuses."""

from __future__ import annotations

import asyncio

import pytest

from control_plane.apiserver.admission.chain import ADMISSION_CHAIN, AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionContext, Operation
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.errors import ApiError, Forbidden
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.admission import ACCOUNT, NAMESPACE, admit, chain, new, refusal, request
from tests.support.memory_store import memory_cache


async def test_nothing_is_made_in_a_namespace_that_is_not_there_or_going() -> None:
    going = new("Namespace", "going", namespace="", status={"phase": "Terminating"})

    assert await refusal(request(new("Pod", namespace="nowhere")), "NamespaceLifecycle") == 'namespaces "nowhere" not found'
    with pytest.raises(Forbidden) as refused:
        await admit(request(new("Pod", namespace="going")), "NamespaceLifecycle", going)
    await admit(request(new("Pod", namespace="going"), Operation.UPDATE), "NamespaceLifecycle", going)
    await admit(request(new("Pod", namespace="nowhere"), Operation.DELETE), "NamespaceLifecycle", going)
    await admit(request(new("Node", namespace="")), "NamespaceLifecycle")

    assert str(refused.value) == (
        'pods "x" is forbidden: unable to create new content in namespace going because it is being terminated'
    )
    assert [(cause.reason, cause.field, cause.message) for cause in refused.value.causes] == [
        ("NamespaceTerminating", "metadata.namespace", "namespace going is being terminated"),
    ]


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_some_namespaces_may_not_go(name: str) -> None:
    asked = request(new("Namespace", name, namespace=""), Operation.DELETE)
    assert await refusal(asked, "NamespaceLifecycle") == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


async def test_a_namespace_made_a_moment_ago_is_found() -> None:
    async with memory_cache() as (store, cache):
        await store.put(NAMESPACE)
        await chain(cache, "NamespaceLifecycle").admit(request(new("Pod")))


async def test_a_pod_gets_the_default_account_and_its_token() -> None:
    account = {**ACCOUNT, "imagePullSecrets": [{"name": "registry"}]}
    spec = {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]}
    pod = await admit(request(new("Pod", spec=spec)), "ServiceAccount", account)

    (volume,) = pod["spec"]["volumes"]
    mount = {"name": volume["name"], "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    assert pod["spec"]["serviceAccountName"] == "default"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["spec"]["containers"][0]["volumeMounts"] == pod["spec"]["initContainers"][0]["volumeMounts"] == [mount]
    assert volume["name"].startswith("kube-api-access-")
    assert len(volume["name"]) == len("kube-api-access-") + 5
    assert volume["projected"] == {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}


@pytest.mark.parametrize(("spec", "account", "mounted"), [
    pytest.param({}, {"automountServiceAccountToken": False}, False, id="account says no"),
    pytest.param({"automountServiceAccountToken": True}, {"automountServiceAccountToken": False}, True, id="pod overrules"),
    pytest.param({"automountServiceAccountToken": False}, {}, False, id="pod says no"),
    pytest.param(
        {"containers": [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}]},
        {}, False, id="something else is mounted there",
    ),
])
async def test_the_token_is_mounted_unless_somebody_says_no(spec: JsonObject, account: JsonObject, mounted: bool) -> None:
    pod = await admit(request(new("Pod", spec={"containers": [{"name": "a"}], **spec})), "ServiceAccount", {**ACCOUNT, **account})
    assert bool(pod["spec"].get("volumes")) is mounted


async def test_a_pod_waits_a_moment_for_the_default_account_only() -> None:
    async with memory_cache() as (store, cache):
        waiting = asyncio.create_task(chain(cache, "ServiceAccount").admit(request(new("Pod", spec={"containers": []}))))
        await cache.fresh()
        await store.put(ACCOUNT)
        await waiting

    missing = request(new("Pod", spec={"serviceAccountName": "robot"}))
    assert await refusal(missing, "ServiceAccount") == (
        'pods "x" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found'
    )


@pytest.mark.req("ADM-07")
async def test_pods_tolerate_a_lost_node_for_five_minutes() -> None:
    own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    unreachable = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}

    plain = await admit(request(new("Pod")), "DefaultTolerationSeconds")
    partly = await admit(request(new("Pod", spec={"tolerations": [own]})), "DefaultTolerationSeconds")
    everything = await admit(request(new("Pod", spec={"tolerations": [{"operator": "Exists"}]})), "DefaultTolerationSeconds")

    assert plain["spec"]["tolerations"] == [{**own, "tolerationSeconds": 300}, unreachable]
    assert partly["spec"]["tolerations"] == [own, unreachable]
    assert everything["spec"]["tolerations"] == [{"operator": "Exists"}]


@pytest.mark.req("ADM-18")
async def test_a_new_node_is_tainted() -> None:
    other = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"}
    node = await admit(request(new("Node", namespace="", spec={"taints": [other]})), "TaintNodesByCondition")
    assert node["spec"]["taints"] == [other, {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


CLASSES = (
    new("PriorityClass", "high", api_version="scheduling.k8s.io/v1", namespace="", value=1000, preemptionPolicy="Never"),
    new("PriorityClass", "usual", api_version="scheduling.k8s.io/v1", namespace="", value=10, globalDefault=True),
)


@pytest.mark.req("ADM-13")
@pytest.mark.parametrize(("spec", "priority"), [
    pytest.param({}, (10, "PreemptLowerPriority", "usual"), id="default class"),
    pytest.param({"priorityClassName": "high"}, (1000, "Never", "high"), id="named"),
    pytest.param({"priorityClassName": "high", "priority": 1000}, (1000, "Never", "high"), id="the right number"),
    pytest.param({"priorityClassName": "system-node-critical"}, (2000001000, "PreemptLowerPriority", "system-node-critical"), id="system"),
])
async def test_a_class_becomes_a_number(spec: JsonObject, priority: tuple[int, str, str]) -> None:
    pod = await admit(request(new("Pod", spec=spec)), "Priority", *CLASSES)
    assert tuple(pod["spec"][field] for field in ("priority", "preemptionPolicy", "priorityClassName")) == priority


@pytest.mark.req("ADM-13")
async def test_a_priority_that_is_not_the_class_is_refused() -> None:
    wrong = request(new("Pod", spec={"priorityClassName": "high", "priority": 5}))
    unknown = request(new("Pod", spec={"priorityClassName": "higher"}))
    again = request({**CLASSES[1], "value": 11}, Operation.UPDATE, old=CLASSES[1])
    second = request(new("PriorityClass", "second", api_version="scheduling.k8s.io/v1", namespace="", value=1, globalDefault=True))

    await admit(again, "Priority", *CLASSES)
    assert await refusal(wrong, "Priority", *CLASSES) == (
        'pods "x" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller '
        "computed 1000 from the given PriorityClass name"
    )
    assert await refusal(unknown, "Priority", *CLASSES) == 'pods "x" is forbidden: no PriorityClass with name higher was found'
    assert await refusal(second, "Priority", *CLASSES) == (
        'priorityclasses.scheduling.k8s.io "second" is forbidden: PriorityClass usual is already marked as default. '
        "Only one default can exist"
    )


@pytest.mark.req("ADM-07")
async def test_how_long_a_lost_node_is_tolerated_is_a_setting() -> None:
    async with memory_cache(NAMESPACE) as (_, cache):
        others = [row.name for row in ADMISSION_CHAIN if row.name != "DefaultTolerationSeconds"]
        context = AdmissionContext(cache, SCHEME, Authorizer(cache), not_ready_toleration_s=10, unreachable_toleration_s=20)
        asked = request(new("Pod"))
        await AdmissionChain(context, disable=others).admit(asked)
    assert asked.obj is not None
    assert [one["tolerationSeconds"] for one in asked.obj["spec"]["tolerations"]] == [10, 20]


LISTING = {
    **ACCOUNT, "metadata": {**ACCOUNT["metadata"], "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
    "secrets": [{"name": "own"}], "imagePullSecrets": [{"name": "registry"}],
}


def using(secret: str) -> JsonObject:
    return {"name": "a", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": secret, "key": "k"}}}]}


@pytest.mark.parametrize(("spec", "why"), [
    pytest.param({"containers": [using("own")], "volumes": [{"name": "v", "secret": {"secretName": "own"}}]}, "", id="own"),
    pytest.param(
        {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, 'volume with secret.secretName="s" is not allowed', id="volume",
    ),
    pytest.param({"containers": [using("s")]}, 'container a with envVar A referencing secret.secretName="s" is not allowed', id="variable"),
    pytest.param(
        {"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "s"}}]}]},
        'init container i with envFrom referencing secret.secretName="s" is not allowed', id="variables",
    ),
    pytest.param({"imagePullSecrets": [{"name": "s"}]}, 'imagePullSecrets[0].name="s" is not allowed', id="pull secret"),
])
async def test_an_account_may_limit_its_pods_to_its_secrets(spec: JsonObject, why: str) -> None:
    asked = request(new("Pod", spec={"containers": [], "automountServiceAccountToken": False, **spec}))
    if not why:
        await admit(asked, "ServiceAccount", LISTING)
        return
    what = "imagePullSecret" if "Pull" in why else "secret"
    assert await refusal(asked, "ServiceAccount", LISTING) == (
        f'pods "x" is forbidden: {why} because service account default does not reference that {what}'
    )


async def test_a_debugger_too_uses_the_accounts_secrets_alone() -> None:
    pod = new("Pod", spec={"serviceAccountName": "default", "ephemeralContainers": [using("s")]})
    asked = request(pod, Operation.UPDATE, old=pod, subresource="ephemeralcontainers")
    async with memory_cache(NAMESPACE, LISTING) as (_, cache):
        with pytest.raises(ApiError, match="ephemeral container a with envVar A referencing secret"):
            await chain(cache, "ServiceAccount").validate(asked)
