"""One request on a resource, as the registry sees it: authenticated, authorized, its coordinates resolved."""

from __future__ import annotations

from dataclasses import dataclass, field

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import GroupResource, GroupVersionKind, ResourceType


@dataclass(slots=True)
class Call:
    """`warnings` is what the answer's Warning headers will say; whoever works on the call may add to it."""

    user: UserInfo
    verb: str
    resource: ResourceType
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    user_agent: str = ""
    warnings: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)      # for the audit log; the request's own (request_info.py)
    size: int = 0       # of the request's body, in bytes

    @classmethod
    def of(cls, info: RequestInfo, resource: ResourceType, user: UserInfo, user_agent: str = "") -> Call:
        namespace = info.namespace if resource.namespaced else ""
        return cls(user, info.verb, resource, namespace, info.name, info.subresource, user_agent, info.warnings, info.annotations)

    @property
    def key(self) -> NamespacedName:
        return NamespacedName(self.namespace, self.name)

    @property
    def group_resource(self) -> GroupResource:
        return self.resource.group_resource

    @property
    def gvk(self) -> GroupVersionKind:
        return self.resource.gvk
