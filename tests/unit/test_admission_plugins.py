"""What each plugin fills in, and what it refuses."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from control_plane.apiserver.admission.chain import ADMISSION_CHAIN, AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import Forbidden, NotFound
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.memory_store import memory_cache, resource_of

BOB = UserInfo("bob")
KUBELET = UserInfo("system:node:node1", groups=("system:nodes",))
NAMESPACE: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}, "status": {"phase": "Active"}}
ACCOUNT: JsonObject = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "default", "name": "default"}}


def new(kind: str, name: str = "x", *, api_version: str = "v1", namespace: str = "default", **fields: Any) -> JsonObject:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | fields.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def request(
    obj: JsonObject, operation: Operation = Operation.CREATE, *, user: UserInfo = BOB, old: JsonObject | None = None, **more: Any
) -> AdmissionRequest:
    return AdmissionRequest(
        user=user, operation=operation, resource=resource_of(obj), namespace=obj["metadata"].get("namespace", ""),
        name=obj["metadata"]["name"], obj=None if operation is Operation.DELETE else copy.deepcopy(obj), old=old, **more,
    )


def chain(cache: WatchCache, *only: str) -> AdmissionChain:
    others = [plugin.name for plugin in ADMISSION_CHAIN if only and plugin.name not in only]
    return AdmissionChain(AdmissionContext(cache, SCHEME, Authorizer(cache)), disable=others)


async def admit(asked: AdmissionRequest, plugin: str, *objects: JsonObject) -> JsonObject:
    async with memory_cache(NAMESPACE, ACCOUNT, *objects) as (_, cache):
        plugins = chain(cache, plugin)
        await plugins.admit(asked)
        await plugins.validate(asked)
    return asked.obj or {}


async def refusal(asked: AdmissionRequest, plugin: str, *objects: JsonObject) -> str:
    with pytest.raises((Forbidden, NotFound)) as refused:
        await admit(asked, plugin, *objects)
    return str(refused.value)


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


BOUND = new("Pod", "web", metadata={"uid": "pod-1", "labels": {"app": "web"}}, spec={"nodeName": "node1"})
FOREIGN = new("Pod", "other", metadata={"uid": "pod-2"}, spec={"nodeName": "node2"})
NODE = new("Node", "node1", namespace="", metadata={"uid": "node-1"}, spec={"taints": [{"key": "a", "effect": "NoSchedule"}]})
OTHER_NODE = new("Node", "node2", namespace="")
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "node1", "uid": "node-1", "controller": True}
MIRROR = new(
    "Pod", "static-node1", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": [OWNER]},
    spec={"nodeName": "node1"},
)
LEASE = new("Lease", "node1", api_version="coordination.k8s.io/v1", namespace="kube-node-lease")


def token_request(**ref: str) -> AdmissionRequest:
    return AdmissionRequest(
        user=KUBELET, operation=Operation.CREATE, resource=resource_of(ACCOUNT), subresource="token", namespace="default",
        name="default", obj={"spec": {"boundObjectRef": ref}},
    )


def changed(obj: JsonObject, **metadata: Any) -> JsonObject:
    return {**obj, "metadata": {**obj["metadata"], **metadata}}


@pytest.mark.req("RBC-03")
@pytest.mark.parametrize(("asked", "why"), [
    pytest.param(request(NODE, user=KUBELET), None, id="own node"),
    pytest.param(request(OTHER_NODE, user=KUBELET), 'node "node1" is not allowed to modify node "node2"', id="node"),
    pytest.param(
        request(changed(NODE, labels={"node-role.kubernetes.io/control-plane": "", "disk": "", "kubernetes.io/os": ""}), user=KUBELET),
        'node "node1" is not allowed to set the following labels: node-role.kubernetes.io/control-plane', id="role label",
    ),
    pytest.param(
        request(changed(NODE, labels={"node-restriction.kubernetes.io/pci": "1"}), Operation.UPDATE, old=NODE, user=KUBELET),
        "is not allowed to modify labels: node-restriction.kubernetes.io/pci", id="restricted label",
    ),
    pytest.param(
        request({**NODE, "spec": {}}, Operation.UPDATE, old=NODE, user=KUBELET),
        'node "node1" is not allowed to modify taints', id="taints",
    ),
    pytest.param(
        request(changed(NODE, ownerReferences=[OWNER]), Operation.UPDATE, old=NODE, user=KUBELET),
        'node "node1" is not allowed to modify ownerReferences', id="owners",
    ),
    pytest.param(request(NODE, Operation.UPDATE, old=NODE, subresource="status", user=KUBELET), None, id="own node status"),
    pytest.param(request(LEASE, user=KUBELET), None, id="own lease"),
    pytest.param(
        request(changed(LEASE, name="node2"), user=KUBELET), "can only access node lease with the same name as the requesting node",
        id="other lease",
    ),
    pytest.param(request(BOUND, Operation.UPDATE, old=BOUND, subresource="status", user=KUBELET), None, id="own pod status"),
    pytest.param(
        request(FOREIGN, Operation.UPDATE, old=FOREIGN, subresource="status", user=KUBELET),
        'node "node1" can only update pod status for pods with spec.nodeName set to itself', id="other pod status",
    ),
    pytest.param(
        request(changed(BOUND, labels={}), Operation.UPDATE, old=BOUND, subresource="status", user=KUBELET),
        'node "node1" cannot update labels through pod status', id="labels through status",
    ),
    pytest.param(request(BOUND, Operation.DELETE, user=KUBELET), None, id="delete own pod"),
    pytest.param(
        request(FOREIGN, Operation.DELETE, user=KUBELET), 'node "node1" can only delete pods with spec.nodeName set to itself',
        id="delete other pod",
    ),
    pytest.param(
        request(BOUND, Operation.UPDATE, old=BOUND, user=KUBELET),
        'unexpected operation "UPDATE", node "node1" can only create and delete mirror pods', id="change a pod",
    ),
    pytest.param(
        request(new("Pod", spec={"nodeName": "node1"}), user=KUBELET),
        'pod does not have "kubernetes.io/config.mirror" annotation, node "node1" can only create mirror pods', id="create a pod",
    ),
    pytest.param(request(MIRROR, user=KUBELET), None, id="mirror pod"),
    pytest.param(
        request(changed(MIRROR, ownerReferences=[]), user=KUBELET),
        'node "node1" can only create pods with an owner reference set to itself', id="mirror pod of nobody",
    ),
    pytest.param(
        request({**MIRROR, "spec": {"nodeName": "node1", "containers": [{"envFrom": [{"secretRef": {"name": "s"}}]}]}}, user=KUBELET),
        'node "node1" can not create pods that reference secrets', id="mirror pod with secrets",
    ),
    pytest.param(token_request(apiVersion="v1", kind="Pod", name="web", uid="pod-1"), None, id="token of own pod"),
    pytest.param(
        token_request(apiVersion="v1", kind="Pod", name="other", uid="pod-2"),
        "node requested token bound to a pod scheduled on a different node", id="token of other pod",
    ),
    pytest.param(token_request(), "node requested token not bound to a pod", id="unbound token"),
    pytest.param(
        token_request(apiVersion="v1", kind="Pod", name="web", uid="old"),
        "the UID in the bound object reference (old) does not match the UID in record. "
        "The object might have been deleted and then recreated",
        id="token of a former pod",
    ),
    pytest.param(request(OTHER_NODE), None, id="others are not restricted"),
])
async def test_a_kubelet_changes_only_what_is_its_own(asked: AdmissionRequest, why: str | None) -> None:
    objects = (BOUND, FOREIGN, NODE)
    if why is None:
        await admit(asked, "NodeRestriction", *objects)
    else:
        assert (await refusal(asked, "NodeRestriction", *objects)).partition(" is forbidden: ")[2] == why


@pytest.mark.req("ADM-07")
async def test_how_long_a_lost_node_is_tolerated_is_a_setting() -> None:
    async with memory_cache(NAMESPACE) as (_, cache):
        others = [row.name for row in ADMISSION_CHAIN if row.name != "DefaultTolerationSeconds"]
        context = AdmissionContext(cache, SCHEME, Authorizer(cache), not_ready_toleration_s=10, unreachable_toleration_s=20)
        asked = request(new("Pod"))
        await AdmissionChain(context, disable=others).admit(asked)
    assert asked.obj is not None
    assert [one["tolerationSeconds"] for one in asked.obj["spec"]["tolerations"]] == [10, 20]
