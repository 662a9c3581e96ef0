"""What a kubelet may do, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.meta import JsonObject
from tests.support.memory_store import memory_cache

KUBELET = UserInfo("system:node:node1", groups=("system:nodes", "system:authenticated"))

POD: JsonObject = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "a", "name": "web"},
    "spec": {
        "nodeName": "node1", "serviceAccountName": "robot", "imagePullSecrets": [{"name": "pull"}],
        "initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "init-env", "key": "k"}}}]}],
        "containers": [{"envFrom": [{"secretRef": {"name": "env-from"}}, {"configMapRef": {"name": "map-from"}}]}],
        "volumes": [
            {"name": "s", "secret": {"secretName": "vol"}}, {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "p", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}, {"secret": {"name": "proj"}}]}},
            {"name": "e", "ephemeral": {"volumeClaimTemplate": {}}},
            {"name": "d", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "csi"}}},
        ],
    },
}
OBJECTS: tuple[JsonObject, ...] = (
    POD,
    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": "a", "name": "data"}, "spec": {"volumeName": "pv1"}},
    {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv1"},
        "spec": {
            "claimRef": {"namespace": "a", "name": "data"},
            "csi": {"driver": "x", "nodePublishSecretRef": {"namespace": "storage", "name": "of-the-volume"}},
        },
    },
)


async def decide(question: str, *objects: JsonObject, user: UserInfo = KUBELET, **more: Any) -> tuple[bool, str]:
    verb, thing = question.split()
    parts = thing.split("/")
    group, _, resource = parts[0].rpartition(":")
    name = more.pop("name", parts[1] if len(parts) > 1 else "")
    selector = more.pop("fields", "")
    async with memory_cache(*(objects or OBJECTS)) as (_, cache):
        decision = Authorizer(cache, ("Node",)).authorize(Attributes(
            user=user, verb=verb, group=group, resource=resource, name=name, subresource=parts[2] if len(parts) > 2 else "",
            field_selector=parse_field_selector(selector) if selector else None, **more,
        ))
    return decision.allowed, decision.reason


@pytest.mark.req("RBC-03")
@pytest.mark.parametrize(("question", "namespace"), [
    ("get secrets/vol", "a"), ("watch secrets/pull", "a"), ("get secrets/env-from", "a"), ("get secrets/proj", "a"),
    ("get secrets/csi", "a"), ("get secrets/of-the-volume", "storage"), ("list configmaps/init-env", "a"),
    ("get configmaps/map-from", "a"), ("get configmaps/kube-root-ca.crt", "a"), ("get persistentvolumeclaims/data", "a"),
    ("get persistentvolumeclaims/web-e", "a"), ("get persistentvolumes/pv1", ""), ("create serviceaccounts/robot/token", "a"),
    ("get serviceaccounts/robot", "a"),
    ("get pods/web", "a"), ("update pods/web/status", "a"), ("create pods/web/eviction", "a"), ("delete pods/web", "a"),
    ("create nodes", ""), ("get nodes/node1", ""), ("patch nodes/node1/status", ""),
    ("update coordination.k8s.io:leases/node1", "kube-node-lease"), ("get storage.k8s.io:csinodes/node1", ""),
    ("watch services", ""), ("create events", "a"), ("watch node.k8s.io:runtimeclasses", ""),
])
async def test_a_kubelet_reaches_what_its_pods_need(question: str, namespace: str) -> None:
    assert await decide(question, namespace=namespace) == (True, "")


NO_PATH = "no relationship found between node 'node1' and this object"


@pytest.mark.parametrize(("question", "namespace", "reason"), [
    ("get secrets/other", "a", NO_PATH), ("get secrets/vol", "b", NO_PATH),
    ("update secrets/vol", "a", "can only read resources of this type"),
    ("list secrets", "a", "No Object name found"), ("list secrets", "", "can only read namespaced object of this type"),
    ("get persistentvolumes/pv2", "", NO_PATH), ("create serviceaccounts/other/token", "a", NO_PATH),
    ("get serviceaccounts/other", "a", NO_PATH), ("list serviceaccounts", "a", "can only create tokens for individual service accounts"),
    ("get nodes/node2", "", "node 'node1' cannot read 'node2', only its own Node object"),
    ("list nodes", "", "node 'node1' cannot read all nodes, only its own Node object"),
    ("list pods", "", "can only list/watch pods with spec.nodeName field selector"),
    ("get pods/other", "a", NO_PATH),
    ("update coordination.k8s.io:leases/node2", "kube-node-lease", "can only access node lease with the same name as the requesting node"),
    ("get coordination.k8s.io:leases/x", "kube-system", 'can only access leases in the "kube-node-lease" system namespace'),
    ("delete nodes/node1", "", ""), ("list apps:deployments", "a", ""), ("update pods/web", "a", ""),
])
async def test_and_nothing_else(question: str, namespace: str, reason: str) -> None:
    assert await decide(question, namespace=namespace) == (False, f"node: {reason}" if reason else "")


async def test_a_list_is_of_its_own_pods_or_of_one_object() -> None:
    assert (await decide("watch pods", fields="spec.nodeName=node1"))[0]
    assert not (await decide("watch pods", fields="spec.nodeName=node2"))[0]
    assert not (await decide("watch pods", fields="spec.nodeName!=node1"))[0]
    assert (await decide("list nodes", fields="metadata.name=node1"))[0]
    assert (await decide("list secrets", namespace="a", fields="metadata.name=vol"))[0]


async def test_rights_come_and_go_with_the_pod() -> None:
    unbound = {**POD, "spec": {**POD["spec"], "nodeName": ""}}
    elsewhere = {**POD, "metadata": {"namespace": "a", "name": "web2"}, "spec": {**POD["spec"], "nodeName": "node2"}}
    question = Attributes(user=KUBELET, verb="get", resource="secrets", namespace="a", name="vol")

    async with memory_cache(unbound, elsewhere) as (store, cache):
        authorizer = Authorizer(cache, ("Node",))
        answers = []
        for change in (store.put(unbound), store.put(POD), store.put({**POD, "status": {"phase": "Running"}}), store.remove(POD)):
            await change
            await cache.fresh()
            answers.append(authorizer.authorize(question).allowed)

    assert answers == [False, True, True, False]


async def test_a_mirror_pod_gives_no_rights() -> None:
    mirror = {**POD, "metadata": {**POD["metadata"], "annotations": {"kubernetes.io/config.mirror": "x"}}}

    assert not (await decide("get secrets/vol", mirror, namespace="a"))[0]
    assert (await decide("get pods/web", mirror, namespace="a"))[0]


@pytest.mark.parametrize("verb", ["get", "update", "patch", "delete"])
async def test_a_kubelet_keeps_its_own_resource_slices(verb: str) -> None:
    slices = [
        {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": node}, "spec": {"nodeName": node}}
        for node in ("node1", "node2")
    ]
    assert (await decide(f"{verb} resource.k8s.io:resourceslices/node1", *slices))[0]
    assert not (await decide(f"{verb} resource.k8s.io:resourceslices/node2", *slices))[0]


async def test_a_kubelet_asks_for_certificates_and_sees_its_own_requests() -> None:
    plural = "certificates.k8s.io:podcertificaterequests"
    own, other = (
        {"apiVersion": "certificates.k8s.io/v1", "kind": "PodCertificateRequest", "metadata": {"namespace": "a", "name": node},
         "spec": {"nodeName": node}}
        for node in ("node1", "node2")
    )

    async def says(question: str, **more: Any) -> tuple[bool, str]:
        return await decide(question, own, other, namespace="a", **more)

    assert (await says(f"create {plural}"))[0]
    assert (await says(f"get {plural}/node1"))[0]
    assert (await says(f"watch {plural}", fields="spec.nodeName=node1"))[0]
    assert not (await says(f"get {plural}/node2"))[0]
    assert await says(f"list {plural}") == (False, "node: can only list/watch podcertificaterequests with nodeName field selector")
    assert await says(f"delete {plural}/node1") == (False, "node: nodes may not delete podcertificaterequests")


async def test_others_are_left_to_other_authorizers() -> None:
    assert await decide("get secrets/vol", namespace="a", user=UserInfo("bob")) == (False, "")
    called_otherwise, nameless = (UserInfo(name, groups=("system:nodes",)) for name in ("bob", "system:node:"))
    assert await decide("get secrets/vol", namespace="a", user=called_otherwise) == (False, "")
    assert await decide("get secrets/vol", namespace="a", user=nameless) == (False, 'node: unknown node for user "system:node:"')
