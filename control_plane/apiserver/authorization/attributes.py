"""One authorization question, and its answer."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.apiserver.authentication.user import UserInfo
from kube.apimachinery.fields import FieldSelector
from kube.apimachinery.labels import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """`verb` is the API verb (get, list, ...) or, for paths that are no resources, the lower-case HTTP method."""

    user: UserInfo
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    is_resource: bool = True
    field_selector: FieldSelector | None = None     # of list, watch, deletecollection
    label_selector: Selector | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""
    denied: bool = False      # explicitly, as opposed to nobody having allowed it
    error: str = ""           # evaluation error, e.g. a role that a binding names is missing
