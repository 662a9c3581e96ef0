"""Nobody grants what they do not hold: the check on writes of RBAC objects. Follows upstream's policybased registries."""

from __future__ import annotations

from control_plane.apiserver.authentication.user import MASTERS_GROUP, UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.authorization.rbac_index import RBAC_GROUP
from control_plane.apiserver.authorization.rules import Rule, compact, not_covered, rules_of
from kube.apimachinery.errors import forbidden, not_found
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource, ResourceType

FULL_POWER = (Rule(frozenset("*"), frozenset("*"), frozenset("*")), Rule(frozenset("*"), urls=("*",)))


def check_escalation(
    authorizer: Authorizer, user: UserInfo, resource: ResourceType, obj: JsonObject, old: JsonObject | None
) -> None:
    """Call before a create or update of a Role, ClusterRole, RoleBinding or ClusterRoleBinding (no-op for others).

    Raises errors.Forbidden with upstream's words. Holders of the verbs `escalate` and `bind`, and system:masters, pass.
    """
    if resource.group != RBAC_GROUP or MASTERS_GROUP in user.groups:
        return
    metadata = obj.get("metadata") or {}
    namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
    if resource.kind in ("Role", "ClusterRole"):
        if old is not None and all(obj.get(field) == old.get(field) for field in ("rules", "aggregationRule")):
            return
        if _may(authorizer, user, "escalate", resource, namespace, name):
            return
        wanted = rules_of(obj)
        if (obj.get("aggregationRule") or (old or {}).get("aggregationRule")) and not_covered(FULL_POWER, authorizer.held_rules(user, "")):
            raise forbidden(resource.group_resource, name, "must have cluster-admin privileges to use the aggregationRule")
    elif resource.kind in ("RoleBinding", "ClusterRoleBinding"):
        if old is not None and all(obj.get(field) == old.get(field) for field in ("subjects", "roleRef")):
            return
        ref = obj.get("roleRef") or {}
        role = GroupResource(RBAC_GROUP, "clusterroles" if ref.get("kind") == "ClusterRole" else "roles")
        if _may_bind(authorizer, user, role, namespace, ref.get("name", "")):
            return
        wanted = _rules_of_ref(authorizer, role, namespace, ref.get("name", ""))
    else:
        return
    lacking = compact(not_covered(wanted, authorizer.held_rules(user, namespace)))
    if lacking:
        groups = " ".join(f'"{group}"' for group in user.groups)
        described = "\n".join(rule.describe() for rule in lacking)
        raise forbidden(
            resource.group_resource, name,
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{described}',
        )


def _may(authorizer: Authorizer, user: UserInfo, verb: str, resource: ResourceType, namespace: str, name: str) -> bool:
    return authorizer.authorize(Attributes(
        user=user, verb=verb, group=resource.group, version=resource.version, resource=resource.plural, namespace=namespace, name=name
    )).allowed


def _may_bind(authorizer: Authorizer, user: UserInfo, role: GroupResource, namespace: str, name: str) -> bool:
    return authorizer.authorize(Attributes(
        user=user, verb="bind", group=role.group, version="v1", resource=role.resource, namespace=namespace, name=name
    )).allowed


def _rules_of_ref(authorizer: Authorizer, role: GroupResource, namespace: str, name: str) -> tuple[Rule, ...]:
    rules = authorizer.index.cluster_role(name) if role.resource == "clusterroles" else authorizer.index.role(namespace, name)
    if rules is None:
        raise not_found(role, name)
    return rules
