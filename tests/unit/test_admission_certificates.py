"""Who may approve, sign and ask for which certificates."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.admission.chain import ADMISSION_CHAIN, AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.errors import Forbidden
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.certificate_requests import CLIENT, KUBELET_CLIENT, KUBELET_SERVING, certificate_request, encoded_request
from tests.support.memory_store import memory_cache, resource_of

RBAC = "rbac.authorization.k8s.io"
BOB = UserInfo("bob")
KUBELET = UserInfo("system:node:n1", groups=("system:nodes",))


def grant(verb: str, signer: str) -> list[JsonObject]:
    """Bob's right to this verb for this signer."""
    api, role = f"{RBAC}/v1", {"apiGroup": RBAC, "kind": "ClusterRole", "name": "r"}
    rule = {"verbs": [verb], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": [signer]}
    subject = {"apiGroup": RBAC, "kind": "User", "name": "bob"}
    return [
        {"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [rule]},
        {"apiVersion": api, "kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": role, "subjects": [subject]},
    ]


async def verdict(
    plugin: str, obj: JsonObject, *objects: JsonObject, user: UserInfo = BOB, old: JsonObject | None = None, **more: Any
) -> str:
    """What the plugin says; "" when it says nothing."""
    asked = AdmissionRequest(
        user=user, operation=Operation.UPDATE if old else Operation.CREATE, resource=resource_of(obj), name=obj["metadata"]["name"],
        obj=copy.deepcopy(obj), old=old, **more,
    )
    async with memory_cache(*objects) as (_, cache):
        others = [other.name for other in ADMISSION_CHAIN if other.name != plugin]
        chain = AdmissionChain(AdmissionContext(cache, SCHEME, Authorizer(cache)), disable=others)
        try:
            await chain.admit(asked)
            await chain.validate(asked)
        except Forbidden as refusal:
            return str(refusal).partition("is forbidden: ")[2]
    return ""


@pytest.mark.req("ADM-03")
@pytest.mark.parametrize(("granted", "refusal"), [
    pytest.param([], f'user not permitted to approve requests with signerName "{CLIENT}"', id="nobody said so"),
    pytest.param(grant("approve", CLIENT), "", id="for the signer"),
    pytest.param(grant("approve", "kubernetes.io/*"), "", id="for its domain"),
    pytest.param(grant("sign", CLIENT), f'user not permitted to approve requests with signerName "{CLIENT}"', id="another verb"),
])
async def test_approving_needs_the_right_for_the_signer(granted: list[JsonObject], refusal: str) -> None:
    held = certificate_request()
    assert await verdict("CertificateApproval", held, *granted, old=held, subresource="approval") == refusal
    assert await verdict("CertificateApproval", held, *granted, old=held) == ""


@pytest.mark.req("ADM-03")
async def test_signing_needs_the_right_for_the_signer() -> None:
    held = certificate_request()
    signed, failed = held | {"status": {"certificate": "YQ=="}}, held | {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}

    async def say(new: JsonObject, *granted: JsonObject) -> str:
        return await verdict("CertificateSigning", new, *granted, old=held, subresource="status")

    assert await say(signed) == f'user not permitted to sign requests with signerName "{CLIENT}"'
    assert await say(signed, *grant("sign", CLIENT)) == ""
    assert await say(failed) == ""


@pytest.mark.req("ADM-04")
async def test_nobody_asks_to_be_a_master() -> None:
    master = encoded_request("eve", ["staff", "system:masters"])

    assert await verdict("CertificateSubjectRestriction", certificate_request(request=master)) == (
        "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed")
    assert await verdict("CertificateSubjectRestriction", certificate_request(request=encoded_request("eve", ["staff"]))) == ""
    assert await verdict("CertificateSubjectRestriction", certificate_request(signer="example.com/x", request=master)) == ""


@pytest.mark.parametrize("signer", [KUBELET_CLIENT, KUBELET_SERVING])
async def test_a_kubelet_asks_for_itself_alone(signer: str) -> None:
    own, other = (certificate_request(signer=signer, request=encoded_request(f"system:node:{name}")) for name in ("n1", "n2"))

    assert await verdict("NodeRestriction", own, user=KUBELET) == ""
    assert await verdict("NodeRestriction", other, user=KUBELET) == "can only create a node CSR with CN=system:node:n1"
    assert await verdict("NodeRestriction", other, user=BOB) == ""
    assert await verdict("NodeRestriction", certificate_request(request=encoded_request("x")), user=KUBELET) == ""
