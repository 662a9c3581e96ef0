"""What a kubelet may change, and what it may ask for in the name of its Pods."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.authentication.user import UserInfo
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.admission import ACCOUNT, NAMESPACE, admit, chain, new, refusal, request
from tests.support.memory_store import memory_cache, resource_of

KUBELET = UserInfo("system:node:node1", groups=("system:nodes",))
TOKENS = [{"serviceAccountToken": {"path": "token"}}, {"serviceAccountToken": {"path": "vault", "audience": "vault"}}]
VOLUMES = [{"name": "tokens", "projected": {"sources": TOKENS}}, {"name": "disk", "persistentVolumeClaim": {"claimName": "c"}}]
BOUND = new("Pod", "web", metadata={"uid": "pod-1", "labels": {"app": "web"}}, spec={"nodeName": "node1", "volumes": VOLUMES})
DISK = (
    new("PersistentVolumeClaim", "c", spec={"volumeName": "v"}),
    new("PersistentVolume", "v", namespace="", spec={"csi": {"driver": "d.example.com"}}),
    new("CSIDriver", "d.example.com", api_version="storage.k8s.io/v1", namespace="", spec={"tokenRequests": [{"audience": "storage"}]}),
)
FOREIGN = new("Pod", "other", metadata={"uid": "pod-2"}, spec={"nodeName": "node2"})
NODE = new("Node", "node1", namespace="", metadata={"uid": "node-1"}, spec={"taints": [{"key": "a", "effect": "NoSchedule"}]})
OTHER_NODE = new("Node", "node2", namespace="")
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "node1", "uid": "node-1", "controller": True}
MIRROR = new(
    "Pod", "static-node1", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": [OWNER]},
    spec={"nodeName": "node1"},
)
LEASE = new("Lease", "node1", api_version="coordination.k8s.io/v1", namespace="kube-node-lease")


def token_request(*audiences: str, **ref: str) -> AdmissionRequest:
    return AdmissionRequest(
        user=KUBELET, operation=Operation.CREATE, resource=resource_of(ACCOUNT), subresource="token", namespace="default",
        name="default", obj={"spec": {"boundObjectRef": ref, "audiences": list(audiences)}},
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
    pytest.param(token_request("vault", apiVersion="v1", kind="Pod", name="web", uid="pod-1"), None, id="token for a mounted audience"),
    pytest.param(token_request("storage", apiVersion="v1", kind="Pod", name="web", uid="pod-1"), None, id="token for a volume's driver"),
    pytest.param(
        token_request("bank", apiVersion="v1", kind="Pod", name="web", uid="pod-1"),
        'system:node:node1 is not authorized to request tokens for audience "bank"', id="token for another audience",
    ),
    pytest.param(
        token_request("a", "b", apiVersion="v1", kind="Pod", name="web", uid="pod-1"), "node may only request 0 or 1 audiences",
        id="token for two audiences",
    ),
    pytest.param(
        request({**NODE, "spec": {**NODE["spec"], "configSource": {}}}, Operation.UPDATE, old=NODE, user=KUBELET),
        'node "node1" is not allowed to update configSource to a new non-nil configSource', id="config source",
    ),
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
    *(
        pytest.param(
            request({**MIRROR, "spec": {"nodeName": "node1", **spec}}, user=KUBELET),
            why if why.startswith("error") else f'node "node1" can not create pods that reference {why}', id=f"mirror pod with {why}",
        ) for spec, why in (
            ({"volumes": [{"csi": {"driver": "d"}}]}, "csidrivers (via CSI volumes)"),
            ({"volumes": [{"projected": {"sources": [{"clusterTrustBundle": {}}]}}]}, "clustertrustbundles"),
            ({"resourceClaims": [{"name": "r"}]}, "resourceclaims"),
            ({"volumes": [{"name": "v", "new": {}}]}, 'error checking mirror pod for API references: unknown volume type for volume  "v"'),
        )
    ),
    pytest.param(request(OTHER_NODE), None, id="others are not restricted"),
    pytest.param(request(OTHER_NODE, user=UserInfo("bob", groups=("system:nodes",))), None, id="nor is who is called otherwise"),
])
async def test_a_kubelet_changes_only_what_is_its_own(asked: AdmissionRequest, why: str | None) -> None:
    objects = (BOUND, FOREIGN, NODE, *DISK)
    if why is None:
        await admit(asked, "NodeRestriction", *objects)
    else:
        assert (await refusal(asked, "NodeRestriction", *objects)).partition(" is forbidden: ")[2] == why


@pytest.mark.parametrize(("changed", "why"), [
    pytest.param({}, "", id="own pod"),
    pytest.param({"nodeName": "node2"}, 'PodCertificateRequest.Spec.NodeName="node2", which is not the requesting node "node1"', id="node"),
    pytest.param({"nodeUID": "old"}, 'names node UID "old", inconsistent with the running node ("node-1")', id="node uid"),
    pytest.param({"podUID": "old"}, 'contains pod UID ("old") which differs from running pod "pod-3"', id="pod uid"),
    pytest.param({"serviceAccountName": "x"}, 'contains serviceAccountName ("x") that differs from running pod ("default")', id="account"),
    pytest.param({"serviceAccountUID": "old"}, 'account UID "old", which differs from the running service', id="account uid"),
    pytest.param({"signerName": "e.x/t"}, "does not mount a podCertificate projected volume for signer", id="signer"),
])
async def test_a_kubelet_asks_for_certificates_of_its_pods(changed: JsonObject, why: str) -> None:
    mounted = [{"name": "v", "projected": {"sources": [{"podCertificate": {"signerName": "e.x/s"}}]}}]
    of_pod = {"nodeName": "node1", "serviceAccountName": "default", "volumes": mounted}
    pod = new("Pod", "certified", metadata={"uid": "pod-3"}, spec=of_pod)
    account = {**ACCOUNT, "metadata": {**ACCOUNT["metadata"], "uid": "account-1"}}
    spec = {"nodeName": "node1", "nodeUID": "node-1", "podName": "certified", "podUID": "pod-3", "serviceAccountName": "default",
            "serviceAccountUID": "account-1", "signerName": "e.x/s", **changed}
    row = SCHEME.for_path("certificates.k8s.io", "v1", "podcertificaterequests") or SCHEME.for_path(
        "certificates.k8s.io", "v1beta1", "podcertificaterequests")
    assert row is not None
    asked = AdmissionRequest(
        user=KUBELET, operation=Operation.CREATE, resource=row, namespace="default", name="r",
        obj={"metadata": {"name": "r"}, "spec": spec},
    )
    async with memory_cache(NAMESPACE, account, pod, NODE) as (_, cache):
        said = ""
        try:
            await chain(cache, "NodeRestriction").admit(asked)
        except ApiError as error:
            said = error.message
    assert (why in said) if why else said == ""
