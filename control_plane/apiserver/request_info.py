"""What a request is about, read from its method, path and query alone. Follows apiserver's RequestInfoFactory.

    /api/v1/namespaces/{namespace}/{resource}/{name}/{subresource}
    /apis/{group}/{version}/{resource}/{name}
    anything else: a path that is no resource ("/healthz", "/openapi/v2")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.labels import SelectorError
from kube.apimachinery.validation import path_segment_problems

_VERBS: Final = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES: Final = frozenset({"status", "finalize"})
_LONG_RUNNING_SUBRESOURCES: Final = frozenset({"attach", "exec", "proxy", "log", "portforward"})


@dataclass(slots=True)
class RequestInfo:
    """Verb and coordinates of one request. For non-resource paths only `verb` (the method, lower case) and `path` say something."""

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()   # everything from the resource on
    field_selector: str = ""      # as sent, of list, watch and deletecollection; authorization may depend on it
    label_selector: str = ""
    warnings: list[str] = field(default_factory=list)             # of the answer, whatever it is
    flow: tuple[str, str] = ("", "")                              # uids of the FlowSchema and PriorityLevelConfiguration that it is of
    annotations: dict[str, str] = field(default_factory=dict)     # what admission notes for the audit log

    @property
    def long_running(self) -> bool:
        return self.verb == "watch" or self.subresource in _LONG_RUNNING_SUBRESOURCES

    @property
    def sub_path(self) -> str:
        """What follows a subresource: "/metrics"; "/" where it ends with a slash; "" where nothing follows."""
        text = "".join(f"/{part}" for part in self.parts[3:])
        return text + "/" if self.path.endswith("/") else text

    @property
    def mutating(self) -> bool:
        return self.verb not in ("get", "list", "watch")


def parse_request(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    parts = [part for part in path.split("/") if part]
    info = RequestInfo(method.lower(), path)
    if len(parts) >= 3 and parts[0] == "api":
        info.version, rest = parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        info.group, info.version, rest = parts[1], parts[2], parts[3:]
    else:
        return info
    info.is_resource = True
    info.verb = _VERBS.get(method, "")
    if rest[0] in ("watch", "proxy") and len(rest) > 1:    # the deprecated prefix form
        info.verb, rest = rest[0], rest[1:]
    if rest[0] == "namespaces" and len(rest) > 1:
        info.namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    info.resource = rest[0]
    info.parts = tuple(rest)
    if len(rest) >= 2:
        info.name = rest[1]
    if len(rest) >= 3:
        info.subresource = rest[2]
    _refine_verb(info, query)
    return info


def select(info: RequestInfo, field_selector: str, label_selector: str) -> None:
    """Notes the selectors. One on a single name asks about that object: authorization by resourceNames then applies."""
    info.field_selector, info.label_selector = field_selector, label_selector
    if info.verb in ("list", "watch") and not info.name and "metadata.name" in field_selector:
        try:
            name = parse_field_selector(field_selector).required_value("metadata.name") or ""
        except SelectorError:
            return      # the verb refuses it
        if not path_segment_problems(name):
            info.name = name


def _refine_verb(info: RequestInfo, query: Mapping[str, str]) -> None:
    if info.verb == "get" and not info.name:
        info.verb = "list"
    if info.verb == "list" or (info.verb == "watch" and not info.name):
        if info.verb == "list" and query.get("watch", "0") not in ("0", "false", "False", "f", "F", "FALSE"):
            info.verb = "watch"
    elif info.verb == "delete" and not info.name:
        info.verb = "deletecollection"
    if info.verb in ("list", "watch", "deletecollection"):
        select(info, query.get("fieldSelector", ""), query.get("labelSelector", ""))
