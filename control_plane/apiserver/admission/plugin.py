"""The request that admission plugins see, and what a plugin is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, forbidden
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType, Scheme

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from control_plane.apiserver.admission.webhooks.metrics import WebhookMetrics


class Operation(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


@dataclass(slots=True, kw_only=True)
class AdmissionRequest:
    """`obj` is the object as it will be written, in the requested version; mutating plugins change it in place. None for DELETE."""

    user: UserInfo
    operation: Operation
    resource: ResourceType
    subresource: str = ""
    namespace: str = ""
    name: str = ""                     # may be "" on create with generateName
    obj: JsonObject | None = None
    old: JsonObject | None = None      # never to be changed
    options: JsonObject = field(default_factory=dict)
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)      # for the audit log: key -> value
    wants_second_round: bool = False   # a webhook changed the object: the mutating plugins run once more
    second_round: bool = False
    memory: dict[str, Any] = field(default_factory=dict)           # plugin -> what it keeps between the rounds

    def forbidden(self, why: str) -> ApiError:
        """Upstream's admission.NewForbidden."""
        metadata = (self.obj or {}).get("metadata") or {}
        name = self.name or metadata.get("name") or metadata.get("generateName") or "Unknown"
        return forbidden(self.resource.group_resource, name, why)


@dataclass(slots=True)
class Later:
    """What is made after the plugins, and by way of them."""

    create: Callable[[JsonObject], Awaitable[None]] | None = None      # writes an object as this apiserver; raises ApiError


@dataclass(frozen=True, slots=True)
class AdmissionContext:
    """What plugins may use."""

    cache: WatchCache
    scheme: Scheme
    authorizer: Authorizer
    webhook_metrics: WebhookMetrics | None = None
    store: EtcdStore | None = None                                              # for what is counted by compare-and-swap
    configuration: Mapping[str, JsonObject] = field(default_factory=dict)       # plugin -> its part of the AdmissionConfiguration
    not_ready_toleration_s: int = 300                                           # --default-not-ready-toleration-seconds
    unreachable_toleration_s: int = 300                                         # --default-unreachable-toleration-seconds
    registry: CollectorRegistry | None = None                                   # for plugins with metrics
    later: Later = field(default_factory=Later)


class Plugin(Protocol):
    """May have a class variable `resources` (a set of GroupResource): then it is asked about these alone."""

    name: ClassVar[str]                # as in --enable-admission-plugins

    def __init__(self, context: AdmissionContext) -> None: ...

    def handles(self, operation: Operation) -> bool: ...


@runtime_checkable
class MutatingPlugin(Plugin, Protocol):
    async def admit(self, request: AdmissionRequest) -> None: ...


@runtime_checkable
class ValidatingPlugin(Plugin, Protocol):
    async def validate(self, request: AdmissionRequest) -> None: ...


PluginNames = Iterable[str]
