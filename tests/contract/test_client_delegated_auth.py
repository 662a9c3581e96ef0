"""Who may use a component's own port, asked of a real apiserver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec.structs import replace

from kube.api.authentication_v1 import TokenRequest
from kube.api.authorization_v1 import NonResourceAttributes, ResourceAttributes
from kube.api.core_v1 import ServiceAccount
from kube.api.meta_v1 import ObjectMeta
from kube.api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject
from kube.apimachinery.errors import Forbidden, InternalError, Unauthorized
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.delegated_auth import REMEMBERED_S, Caller, Credentials, DelegatedAuth
from kube.client.grpc_transport import GrpcTransport
from kube.process.pages import PageRequest
from tests.support.apiserver import RunningApiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

RBAC = "rbac.authorization.k8s.io"
METRICS = ResourceAttributes(verb="get", version="v1", resource="nodes", subresource="metrics", name="node1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kubelet(server: RunningApiserver) -> AsyncIterator[Client]:
    """What a kubelet is allowed is enough to ask."""
    async with Client(GrpcTransport(server.access(server.pki.identity("system:node:node1", ["system:nodes"])))) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def token(server: RunningApiserver) -> str:
    """Of a service account that may read metrics of nodes."""
    key = NamespacedName("default", "prometheus")
    async with Client(GrpcTransport(server.access())) as admin:
        await admin.create(ServiceAccount(metadata=ObjectMeta(namespace="default", name="prometheus")))
        rule = PolicyRule(api_groups=("",), resources=("nodes/metrics",), verbs=("get",))
        await admin.create(ClusterRole(metadata=ObjectMeta(name="metrics"), rules=(rule,)))
        await admin.create(ClusterRoleBinding(
            metadata=ObjectMeta(name="metrics"), role_ref=RoleRef(api_group=RBAC, kind="ClusterRole", name="metrics"),
            subjects=(Subject(kind="ServiceAccount", namespace="default", name="prometheus"),),
        ))
        return (await admin.create_subresource(ServiceAccount, key, "token", TokenRequest(), TokenRequest)).status.token


def certificate(name: str, *groups: str) -> Credentials:
    pairs = [*(("organizationName", group) for group in groups), ("commonName", name)]
    return Credentials({"subject": tuple((pair,) for pair in pairs)})


async def test_a_token_is_reviewed(kubelet: Client, token: str) -> None:
    auth = DelegatedAuth(kubelet, anonymous=False)

    caller = await auth.caller(Credentials(authorization=f"Bearer {token}"))

    assert caller.user == "system:serviceaccount:default:prometheus"
    assert await auth.may(caller, METRICS)
    assert not await auth.may(caller, replace(METRICS, subresource="proxy"))


@pytest.mark.parametrize("credentials", [
    pytest.param(Credentials(), id="nothing"),
    pytest.param(Credentials(authorization="Bearer x.y.z"), id="a bad token"),
    pytest.param(Credentials(authorization="Basic YTpi"), id="a password"),
    pytest.param(Credentials({"subject": ()}), id="a certificate without a name"),
])
async def test_who_cannot_say_who_he_is_stays_outside(kubelet: Client, credentials: Credentials) -> None:
    with pytest.raises(Unauthorized):
        await DelegatedAuth(kubelet, anonymous=False).caller(credentials)


@pytest.mark.parametrize(("credentials", "allowed"), [
    pytest.param(certificate("kubernetes-admin", "system:masters"), True, id="admin"),
    pytest.param(certificate("kube-apiserver-kubelet-client", "kubeadm:cluster-admins"), True, id="apiserver"),
    pytest.param(certificate("kube-apiserver-kubelet-client"), False, id="its name without its group"),
    pytest.param(certificate("system:node:node2", "system:nodes"), False, id="another node"),
    pytest.param(certificate("system:kube-scheduler"), False, id="another component"),
])
async def test_a_certificate_is_asked_about(kubelet: Client, credentials: Credentials, allowed: bool) -> None:
    auth = DelegatedAuth(kubelet, anonymous=False)

    assert await auth.may(await auth.caller(credentials), replace(METRICS, subresource="proxy")) is allowed


async def test_paths_are_for_whom_the_apiserver_would_let_in(kubelet: Client) -> None:
    auth = DelegatedAuth(kubelet)

    await auth.check(PageRequest("GET", "/metrics", "", "", certificate("kubernetes-admin", "system:masters").certificate))
    with pytest.raises(Forbidden, match='User "system:anonymous" cannot get path "/metrics"'):
        await auth.check(PageRequest("GET", "/metrics", "", ""))


async def test_answers_count_for_a_while(server: RunningApiserver, kubelet: Client) -> None:
    now = [0.0]
    auth = DelegatedAuth(kubelet, now=lambda: now[0])
    caller, question = Caller("late"), NonResourceAttributes(verb="get", path="/metrics")
    before = await auth.may(caller, question)
    async with Client(GrpcTransport(server.access())) as admin:
        rule = PolicyRule(non_resource_urls=("/metrics",), verbs=("get",))
        await admin.create(ClusterRole(metadata=ObjectMeta(name="late"), rules=(rule,)))
        await admin.create(ClusterRoleBinding(
            metadata=ObjectMeta(name="late"), role_ref=RoleRef(api_group=RBAC, kind="ClusterRole", name="late"),
            subjects=(Subject(kind="User", api_group=RBAC, name="late"),),
        ))
    remembered = await auth.may(caller, question)
    now[0] = REMEMBERED_S + 1

    assert (before, remembered, await auth.may(caller, question)) == (False, False, True)


async def test_no_answer_is_no_permission(server: RunningApiserver) -> None:
    outsider = GrpcTransport(server.access(server.pki.identity("nobody")))

    with pytest.raises(InternalError, match="SubjectAccessReview failed"):
        await DelegatedAuth(Client(outsider)).may(Caller("kubernetes-admin", groups=("system:masters",)), METRICS)

    await outsider.close()
