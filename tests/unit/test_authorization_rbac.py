"""Roles, bindings, and what follows from them."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.authentication.user import UserInfo, service_account_username
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer, forbidden_error
from control_plane.apiserver.authorization.bootstrap_policy import bootstrap_objects, reconciled
from control_plane.apiserver.authorization.escalation import check_escalation
from control_plane.apiserver.authorization.policy_notation import (
    cluster_role,
    cluster_role_binding,
    group,
    role,
    role_binding,
    rule,
    service_account,
    urls,
    user,
)
from control_plane.apiserver.authorization.reviews import review_access
from control_plane.apiserver.authorization.rules import Rule, compact, not_covered
from kube.apimachinery.errors import Forbidden, Invalid
from kube.apimachinery.meta import JsonObject
from kube.process.config import ConfigError
from tests.support.memory_store import memory_cache, resource_of

BOB = UserInfo("bob", groups=("devs", "system:authenticated"))


def ask(asker: UserInfo, question: str, **more: Any) -> Attributes:
    """"get pods/log@default", "list apps:deployments" (in no namespace) or "get /healthz"."""
    verb, thing = question.split()
    if thing.startswith("/"):
        return Attributes(user=asker, verb=verb, path=thing, is_resource=False)
    what, _, namespace = thing.partition("@")
    group_name, _, rest = what.rpartition(":")
    plural, _, subresource = rest.partition("/")
    return Attributes(
        user=asker, verb=verb, namespace=namespace, group=group_name, version="v1", resource=plural, subresource=subresource, **more
    )


def user_binding(name: str, subject: JsonObject, namespace: str = "") -> JsonObject:
    return role_binding(namespace, name, name, subject) if namespace else cluster_role_binding(name, name, subject)


@pytest.mark.parametrize(("rules", "question", "allowed"), [
    pytest.param([rule("get", "core", "pods")], "get pods@default", True, id="plain"),
    pytest.param([rule("get", "core", "pods")], "list pods@default", False, id="other verb"),
    pytest.param([rule("get", "core", "pods")], "get pods/log@default", False, id="a subresource is a thing of its own"),
    pytest.param([rule("get", "core", "pods/log")], "get pods/log@default", True, id="subresource"),
    pytest.param([rule("get", "core", "*/scale")], "get deployments/scale@default", True, id="subresource of everything"),
    pytest.param([rule("get", "core", "*")], "get pods/log@default", True, id="everything"),
    pytest.param([rule("get", "apps", "pods")], "get pods@default", False, id="other group"),
    pytest.param([rule("*", "*", "*")], "create apps:deployments@default", True, id="all stars"),
    pytest.param([urls("get", "/healthz /metrics/*")], "get /healthz", True, id="path"),
    pytest.param([urls("get", "/healthz /metrics/*")], "get /metrics/cadvisor", True, id="path prefix"),
    pytest.param([urls("get", "/healthz /metrics/*")], "get /healthz/etcd", False, id="longer path"),
    pytest.param([rule("*", "*", "*")], "get /healthz", False, id="resources are no paths"),
])
async def test_a_rule_allows_what_it_names(rules: list[dict[str, Any]], question: str, allowed: bool) -> None:
    async with memory_cache(cluster_role("r", *rules), user_binding("r", user("bob"))) as (_, cache):
        assert Authorizer(cache).authorize(ask(BOB, question)).allowed is allowed


async def test_names_restrict_to_single_objects() -> None:
    allowed = cluster_role("r", rule("get update", "core", "configmaps", "a"))

    async with memory_cache(allowed, user_binding("r", user("bob"))) as (_, cache):
        authorizer = Authorizer(cache)
        assert authorizer.authorize(ask(BOB, "get configmaps@default", name="a")).allowed
        assert not authorizer.authorize(ask(BOB, "get configmaps@default", name="b")).allowed
        assert not authorizer.authorize(ask(BOB, "list configmaps@default")).allowed


async def test_a_role_holds_in_its_namespace_and_a_cluster_role_where_it_is_bound() -> None:
    objects = (
        role("a", "reader", rule("get", "core", "pods")), user_binding("reader", user("bob"), "a"),
        cluster_role("lister", rule("list", "core", "pods")),
        {**role_binding("b", "lister", "lister", group("devs")), "roleRef": {"kind": "ClusterRole", "name": "lister"}},
    )

    async with memory_cache(*objects) as (_, cache):
        authorizer = Authorizer(cache)
        answers = {question: authorizer.authorize(ask(BOB, question)) for question in (
            "get pods@a", "get pods@b", "list pods@a", "list pods@b", "get pods", "list pods",
        )}

    assert [question for question, answer in answers.items() if answer.allowed] == ["get pods@a", "list pods@b"]
    assert answers["get pods@a"].reason == 'RBAC: allowed by RoleBinding "reader/a" of Role "reader" to User "bob"'
    assert answers["list pods@b"].reason == 'RBAC: allowed by RoleBinding "lister/b" of ClusterRole "lister" to Group "devs"'


async def test_a_service_account_is_a_subject() -> None:
    robot = UserInfo(service_account_username("kube-system", "coredns"))
    objects = cluster_role("r", rule("list", "core", "pods")), user_binding("r", service_account("coredns"))

    async with memory_cache(*objects) as (_, cache):
        decision = Authorizer(cache).authorize(ask(robot, "list pods"))

    assert decision.reason == 'RBAC: allowed by ClusterRoleBinding "r" of ClusterRole "r" to ServiceAccount "coredns/kube-system"'


async def test_changes_count_at_once() -> None:
    binding, held = user_binding("r", user("bob")), cluster_role("r", rule("get", "core", "pods"))

    async with memory_cache() as (store, cache):
        authorizer = Authorizer(cache)
        answers = []
        for change in (store.put(binding), store.put(held), store.put(user_binding("r", user("eve"))), store.put(binding),
                       store.put(cluster_role("r", rule("list", "core", "pods"))), store.remove(held)):
            await change
            await cache.fresh()
            answers.append(authorizer.authorize(ask(BOB, "get pods@default")))

    assert [answer.allowed for answer in answers] == [False, True, False, True, False, False]
    assert answers[0].reason == 'rbac: RBAC: clusterrole.rbac.authorization.k8s.io "r" not found'


@pytest.mark.parametrize(("question", "more", "message"), [
    pytest.param(
        "list pods@default", {},
        'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"', id="namespace",
    ),
    pytest.param(
        "create pods/exec@default", {"name": "web"},
        'pods "web" is forbidden: User "bob" cannot create resource "pods/exec" in API group "" in the namespace "default"',
        id="subresource",
    ),
    pytest.param(
        "delete apps:deployments", {"name": "web"},
        'deployments.apps "web" is forbidden: User "bob" cannot delete resource "deployments" in API group "apps" at the cluster scope',
        id="cluster scope",
    ),
    pytest.param("get /metrics", {}, 'forbidden: User "bob" cannot get path "/metrics"', id="path"),
])
def test_who_is_refused_hears_upstreams_words(question: str, more: dict[str, str], message: str) -> None:
    assert str(forbidden_error(ask(BOB, question, **more))) == message


async def test_the_default_policy_gives_everybody_what_upstream_gives() -> None:
    expected = {
        ("kubernetes-admin", "system:masters"): ["delete nodes", "get /metrics", "create pods/exec@default"],
        ("system:kube-scheduler", ""): ["create pods/binding@default", "watch nodes", "list namespaces", "create events@kube-system"],
        ("system:kube-controller-manager", ""): [
            "watch certificates.k8s.io:certificatesigningrequests", "create apps:replicasets@default", "update namespaces/finalize",
            "create discovery.k8s.io:endpointslices@default", "delete apps:statefulsets@default", "create serviceaccounts@kube-system",
            "create configmaps@default",
        ],
        ("system:kube-proxy", ""): ["watch discovery.k8s.io:endpointslices", "watch services", "get nodes"],
        ("system:cloud-controller-manager", ""): ["patch nodes/status", "delete nodes", "update coordination.k8s.io:leases@kube-system"],
        ("kube-apiserver-kubelet-client", "kubeadm:cluster-admins"): ["get nodes/proxy"],
        ("anyone", "system:authenticated"): ["get /api/v1", "get /version", "create authorization.k8s.io:selfsubjectaccessreviews"],
        ("system:anonymous", "system:unauthenticated"): ["get /healthz", "get /version"],
    }
    denied = {
        ("system:kube-scheduler", ""): ["get secrets@default", "delete nodes"],
        ("system:kube-proxy", ""): ["delete nodes", "list secrets@default"],
        ("system:node:node1", "system:nodes"): ["list secrets@default", "list nodes", "delete nodes"],
        ("anyone", "system:authenticated"): ["list pods@default", "get /metrics"],
        ("system:anonymous", "system:unauthenticated"): ["get /api/v1", "list pods@default"],
    }

    async with memory_cache(*bootstrap_objects()) as (_, cache):
        authorizer = Authorizer(cache)

        def answers(table: dict[tuple[str, str], list[str]]) -> dict[tuple[str, str, str], bool]:
            return {
                (name, group_name, question): authorizer.authorize(ask(UserInfo(name, groups=(group_name,)), question)).allowed
                for (name, group_name), questions in table.items() for question in questions
            }

        assert [question for question, allowed in answers(expected).items() if not allowed] == []
        assert [question for question, allowed in answers(denied).items() if allowed] == []


async def test_admin_edit_and_view_contain_each_other() -> None:
    roles = {obj["metadata"]["name"]: [Rule.of(rule) for rule in obj.get("rules", ())] for obj in bootstrap_objects() if "rules" in obj}

    assert not not_covered(roles["view"], roles["edit"])
    assert not not_covered(roles["edit"], roles["admin"])
    assert not_covered(roles["admin"], roles["edit"])
    assert not any(rule.allows(ask(BOB, "get secrets@default")) for rule in roles["view"])
    assert any(rule.allows(ask(BOB, "get secrets@default")) for rule in roles["edit"])
    assert any(rule.allows(ask(BOB, "create rbac.authorization.k8s.io:roles@default")) for rule in roles["admin"])


def test_a_default_role_gets_back_what_was_taken_and_keeps_what_was_added() -> None:
    wanted = cluster_role("r", rule("get list", "core", "pods nodes"))
    changed = cluster_role("r", rule("get", "core", "pods nodes"), rule("list", "core", "pods"), rule("get", "core", "secrets"))
    frozen = {**changed, "metadata": {**changed["metadata"], "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}}

    repaired = reconciled(changed, wanted)

    assert repaired is not None
    assert repaired["rules"] == [*changed["rules"], rule("list", "core", "nodes")]
    assert reconciled(repaired, wanted) is None
    assert reconciled(wanted, wanted) is None
    assert reconciled(frozen, wanted) is None


async def test_nobody_grants_what_they_do_not_hold() -> None:
    objects = cluster_role("r", rule("*", "rbac.authorization.k8s.io", "roles rolebindings"), rule("get", "core", "pods")), \
        user_binding("r", user("bob")), cluster_role("cluster-admin", rule("*", "*", "*"))
    mine, more = role("default", "x", rule("get", "core", "pods")), role("default", "x", rule("delete get list", "core", "pods secrets"))
    binding = {**role_binding("default", "x", "x", user("eve")), "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
    careful = UserInfo("bob", groups=("devs",))

    async with memory_cache(*objects) as (store, cache):
        authorizer = Authorizer(cache)
        # "*" on roles includes the verbs escalate and bind: take them away
        await store.put(cluster_role(
            "r", rule("create update", "rbac.authorization.k8s.io", "roles rolebindings"), rule("get", "core", "pods")
        ))
        await cache.fresh()
        check_escalation(authorizer, careful, resource_of(mine), mine, None)
        check_escalation(authorizer, careful, resource_of(more), more, more)
        with pytest.raises(Forbidden) as refused:
            check_escalation(authorizer, careful, resource_of(more), more, None)
        with pytest.raises(Forbidden, match="is attempting to grant RBAC permissions not currently held"):
            check_escalation(authorizer, careful, resource_of(binding), binding, None)
        check_escalation(authorizer, UserInfo("root", groups=("system:masters",)), resource_of(binding), binding, None)

    assert str(refused.value) == (
        'roles.rbac.authorization.k8s.io "x" is forbidden: user "bob" (groups=["devs"]) is attempting to grant RBAC permissions not '
        'currently held:\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete", "list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["delete", "get", "list"]}'
    )


def test_atoms_are_joined_again() -> None:
    wide = Rule.of(rule("get list", "core apps", "pods deployments", "a b"))

    assert len(list(wide.atoms())) == 16
    assert not not_covered(compact(wide.atoms()), [wide])
    assert len(compact(wide.atoms())) == 8


async def test_reviews_answer_as_the_authorizer_does() -> None:
    async with memory_cache(cluster_role("r", rule("get", "core", "pods")), user_binding("r", user("bob"))) as (_, cache):
        authorizer = Authorizer(cache)
        wanted = {"verb": "get", "resource": "pods", "namespace": "default"}
        allowed = await review_access(authorizer, {"user": "bob", "resourceAttributes": wanted})
        denied = await review_access(authorizer, {"resourceAttributes": wanted}, user=UserInfo("eve"))
        with pytest.raises(Invalid, match="at least one of user or group must be specified"):
            await review_access(authorizer, {"resourceAttributes": wanted})
        rules = authorizer.rules_for(BOB, "default")

    assert allowed == {
        "allowed": True, "reason": 'RBAC: allowed by ClusterRoleBinding "r" of ClusterRole "r" to User "bob"',
    }
    assert denied == {"allowed": False}
    assert rules["resourceRules"] == [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]


async def test_an_unknown_mode_is_refused() -> None:
    async with memory_cache() as (_, cache):
        with pytest.raises(ConfigError, match='authorization-mode "Rbac" is not a valid mode: known are AlwaysAllow,'):
            Authorizer(cache, ("Rbac",))
