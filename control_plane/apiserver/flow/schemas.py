"""Which FlowSchema a request is of: the first, by precedence and name, whose rules match. Follows util/flowcontrol/rule.go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from control_plane.apiserver.authentication.user import SERVICE_ACCOUNT_PREFIX, UserInfo, split_service_account
from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.meta import JsonObject

Matcher = Callable[[UserInfo], bool]


class FlowSchema:
    """Compiled. `flow_of` tells requests of one schema apart, so that none of them takes all the places."""

    __slots__ = ("_distinguisher", "_rules", "level", "name", "precedence", "uid")

    def __init__(self, obj: JsonObject) -> None:
        spec = obj.get("spec") or {}
        self.name: str = obj["metadata"]["name"]
        self.uid: str = obj["metadata"].get("uid") or ""
        self.level: str = (spec.get("priorityLevelConfiguration") or {}).get("name") or ""
        self.precedence: int = spec.get("matchingPrecedence") or 1000
        self._distinguisher = (spec.get("distinguisherMethod") or {}).get("type") or ""
        self._rules = [
            ([_subject(one) for one in rule.get("subjects") or ()], rule.get("resourceRules") or (), rule.get("nonResourceRules") or ())
            for rule in spec.get("rules") or ()
        ]

    def matches(self, info: RequestInfo, user: UserInfo) -> bool:
        for subjects, resources, paths in self._rules:
            found = any(_of_resource(rule, info) for rule in resources) if info.is_resource else any(_of_path(rule, info) for rule in paths)
            if found and any(subject(user) for subject in subjects):
                return True
        return False

    def flow_of(self, info: RequestInfo, user: UserInfo) -> str:
        if self._distinguisher == "ByUser":
            return user.name
        return info.namespace if self._distinguisher == "ByNamespace" else ""


def _subject(subject: JsonObject) -> Matcher:
    kind = subject.get("kind")
    if kind == "User":
        name = (subject.get("user") or {}).get("name")
        return lambda user: name in ("*", user.name)
    if kind == "Group":
        group = (subject.get("group") or {}).get("name")
        return lambda user: group == "*" or group in user.groups
    account = subject.get("serviceAccount") or {}
    wanted, namespace = account.get("name"), account.get("namespace")

    def is_account(user: UserInfo) -> bool:
        if not user.name.startswith(SERVICE_ACCOUNT_PREFIX):
            return False
        found = split_service_account(user.name)
        return found is not None and found[0] == namespace and wanted in ("*", found[1])

    return is_account


def _in(wanted: str, allowed: Sequence[Any]) -> bool:
    return "*" in allowed or wanted in allowed


def _of_resource(rule: JsonObject, info: RequestInfo) -> bool:
    if not _in(info.verb, rule.get("verbs") or ()) or not _in(info.group, rule.get("apiGroups") or ()):
        return False
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    if not _in(resource, rule.get("resources") or ()):
        return False
    return _in(info.namespace, rule.get("namespaces") or ()) if info.namespace else bool(rule.get("clusterScope"))


def _of_path(rule: JsonObject, info: RequestInfo) -> bool:
    if not _in(info.verb, rule.get("verbs") or ()):
        return False
    return any(
        url in ("*", info.path) or (url.endswith("/*") and info.path.startswith(url.removesuffix("*")))
        for url in rule.get("nonResourceURLs") or ()
    )
