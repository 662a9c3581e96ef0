"""Roles and bindings, looked up by who asks; kept current by the watch cache, event by event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from control_plane.apiserver.authentication.user import UserInfo, split_service_account
from control_plane.apiserver.authorization.rules import Rule, rules_of
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.resource_cache import OnReset
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType

RBAC_GROUP: Final = "rbac.authorization.k8s.io"


class Grant(NamedTuple):
    """A binding as seen from one of its subjects."""

    binding_kind: str
    namespace: str             # of the binding; "" for a ClusterRoleBinding: holds everywhere
    binding: str
    role_kind: str
    role: str
    subject: JsonObject

    def describe(self) -> str:
        name = f"{self.binding}/{self.namespace}" if self.namespace else self.binding
        return f'{self.binding_kind} "{name}" of {self.role_kind} "{self.role}" to {_describe_subject(self.subject)}'


Subject = tuple[str, str]      # kind and name; a ServiceAccount's name is "namespace/name"


def _row(plural: str) -> ResourceType:
    row = SCHEME.for_path(RBAC_GROUP, "v1", plural)
    assert row is not None
    return row


class RbacIndex:
    def __init__(self, cache: WatchCache) -> None:
        self._roles: dict[tuple[str, str], tuple[Rule, ...]] = {}                 # (namespace, name); "" for ClusterRoles
        self._grants: dict[Subject, dict[tuple[str, str], Grant]] = {}           # by the binding's (namespace, name)
        for plural in ("roles", "clusterroles"):
            cache.observe(_row(plural), self._on_role, self._role_reset(cluster=plural == "clusterroles"))
        for plural in ("rolebindings", "clusterrolebindings"):
            cache.observe(_row(plural), self._on_binding, self._binding_reset(cluster=plural == "clusterrolebindings"))

    def grants_of(self, user: UserInfo, namespace: str) -> Iterator[Grant]:
        """Those that hold in `namespace` ("": at the cluster scope), cluster-wide ones first."""
        found = [grant for subject in _subjects_of(user) for grant in self._grants.get(subject, {}).values()]
        yield from (grant for grant in found if not grant.namespace)
        if namespace:
            yield from (grant for grant in found if grant.namespace == namespace)

    def rules_of(self, grant: Grant) -> tuple[Rule, ...] | None:
        """None: the binding names a role that does not exist."""
        return self._roles.get((grant.namespace if grant.role_kind == "Role" else "", grant.role))

    def cluster_role(self, name: str) -> tuple[Rule, ...] | None:
        return self._roles.get(("", name))

    def role(self, namespace: str, name: str) -> tuple[Rule, ...] | None:
        return self._roles.get((namespace, name))

    def _on_role(self, event: CacheEvent) -> None:
        held = event.object
        if event.type == "DELETED":
            self._roles.pop((held.namespace, held.name), None)
        else:
            self._roles[held.namespace, held.name] = rules_of(held.obj)

    def _on_binding(self, event: CacheEvent) -> None:
        if event.previous is not None:
            self._remove(event.previous)
        if event.type != "DELETED":
            self._add(event.object)

    def _role_reset(self, *, cluster: bool) -> OnReset:
        def reset(objects: Iterable[CachedObject]) -> None:
            self._roles = {key: rules for key, rules in self._roles.items() if bool(key[0]) is cluster}
            self._roles |= {(held.namespace, held.name): rules_of(held.obj) for held in objects}

        return reset

    def _binding_reset(self, *, cluster: bool) -> OnReset:
        def reset(objects: Iterable[CachedObject]) -> None:
            for subject, grants in self._grants.items():
                self._grants[subject] = {key: grant for key, grant in grants.items() if bool(key[0]) is cluster}
            for held in objects:
                self._add(held)

        return reset

    def _add(self, held: CachedObject) -> None:
        obj = held.obj
        role = obj.get("roleRef") or {}
        for subject in obj.get("subjects") or ():
            grant = Grant(obj["kind"], held.namespace, held.name, role.get("kind", ""), role.get("name", ""), subject)
            self._grants.setdefault(_key_of(subject, held.namespace), {})[held.namespace, held.name] = grant

    def _remove(self, held: CachedObject) -> None:
        for subject in held.obj.get("subjects") or ():
            key = _key_of(subject, held.namespace)
            grants = self._grants.get(key, {})
            grants.pop((held.namespace, held.name), None)
            if not grants:
                self._grants.pop(key, None)


def _subjects_of(user: UserInfo) -> Iterator[Subject]:
    yield "User", user.name
    if account := split_service_account(user.name):
        yield "ServiceAccount", "/".join(account)
    for group in user.groups:
        yield "Group", group


def _key_of(subject: JsonObject, namespace: str) -> Subject:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    return (kind, f"{subject.get('namespace') or namespace}/{name}") if kind == "ServiceAccount" else (kind, name)


def _describe_subject(subject: JsonObject) -> str:
    name = subject.get("name", "")
    if subject.get("kind") == "ServiceAccount":
        name = f"{name}/{subject.get('namespace', '')}"
    return f'{subject.get("kind", "")} "{name}"'
