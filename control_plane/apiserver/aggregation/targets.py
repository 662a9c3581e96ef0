"""Which group versions other servers serve: the APIServices with a Service, as the watch cache has them.

What a server said of itself when it was checked (its resources, its OpenAPI) is kept here, too, as long as the APIService is the same.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from control_plane.apiserver.aggregation.availability import is_available
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersion, ResourceType, Scheme

GROUP: Final = "apiregistration.k8s.io"
_DEFAULT_PORT: Final = 443


@dataclass(slots=True, eq=False)
class Target:
    """One group version and the server behind it. `ca_bundle` is PEM; empty: the machine's own CAs are trusted."""

    name: str
    group_version: GroupVersion
    namespace: str
    service: str
    port: int
    ca_bundle: bytes
    insecure: bool
    group_priority: int
    version_priority: int
    available: bool = False
    resources: list[JsonObject] = field(default_factory=list)      # of its APIResourceList, as last seen
    is_current: bool = False                                       # they are from the last check
    openapi_hash: str | None = None                                # of its OpenAPI v3 document; None: it has none

    @property
    def host(self) -> str:
        """The name that its certificate must be for."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def place(self) -> tuple[Any, ...]:
        """All that decides who is reached."""
        return (self.group_version, self.namespace, self.service, self.port, self.ca_bundle, self.insecure)

    @classmethod
    def of(cls, obj: JsonObject) -> Target | None:
        """None: it is served here, or is nothing that another server could serve."""
        spec = obj.get("spec") or {}
        service, group = spec.get("service"), spec.get("group") or ""
        if service is None or group in ("", GROUP):
            return None
        try:
            bundle = base64.b64decode(spec.get("caBundle") or "")
        except ValueError:
            bundle = b""
        return cls(
            obj["metadata"]["name"], GroupVersion(group, spec.get("version") or ""), service.get("namespace") or "",
            service.get("name") or "", service.get("port") or _DEFAULT_PORT, bundle, bool(spec.get("insecureSkipTLSVerify")),
            spec.get("groupPriorityMinimum") or 0, spec.get("versionPriority") or 0, is_available(obj),
        )


def api_service_row(scheme: Scheme) -> ResourceType:
    row = scheme.for_path(GROUP, "v1", "apiservices")
    assert row is not None
    return row


class Targets:
    """`generation` moves with everything that discovery or OpenAPI shows."""

    def __init__(self, cache: WatchCache, scheme: Scheme) -> None:
        self._cache = cache
        self._row = api_service_row(scheme)
        self._by_name: dict[str, Target] = {}
        self._by_group_version: dict[tuple[str, str], Target] = {}
        self._listeners: list[Callable[[str], None]] = []
        self.generation = 0

    def attach(self) -> None:
        self._cache.observe(self._row, self._on_event, self._on_reset)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Called with the name of each APIService that changed in any way."""
        self._listeners.append(listener)

    def __iter__(self) -> Iterator[Target]:
        return iter([*self._by_name.values()])

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def named(self, name: str) -> Target | None:
        return self._by_name.get(name)

    def for_path(self, path: str) -> Target | None:
        """Of /apis/GROUP/VERSION and all below it."""
        if not self._by_group_version or not path.startswith("/apis/"):
            return None
        parts = path.split("/", 4)
        return self._by_group_version.get((parts[2], parts[3])) if len(parts) > 3 else None

    def of(self, group_version: GroupVersion) -> Target | None:
        return self._by_group_version.get(group_version)

    def learned(self, target: Target, resources: list[JsonObject] | None, openapi_hash: str | None) -> None:
        """What a check brought; `resources` None: nothing came, what was known is stale."""
        before = (target.resources, target.is_current, target.openapi_hash)
        target.is_current = resources is not None
        if resources is not None:
            target.resources, target.openapi_hash = resources, openapi_hash
        if before != (target.resources, target.is_current, target.openapi_hash):
            self.generation += 1

    def _on_event(self, event: CacheEvent) -> None:
        name = event.object.name
        self._replace(name, None if event.type == "DELETED" else event.object.obj)

    def _on_reset(self, objects: Iterable[CachedObject]) -> None:
        held = {item.name: item.obj for item in objects}
        for name in self._by_name.keys() - held.keys():
            self._replace(name, None)
        for name, obj in held.items():
            self._replace(name, obj)

    def _replace(self, name: str, obj: JsonObject | None) -> None:
        old, new = self._by_name.pop(name, None), Target.of(obj) if obj is not None else None
        if old is not None:
            self._by_group_version.pop(old.group_version, None)
        if old is not None and new is not None and old.place == new.place:
            new.resources, new.is_current, new.openapi_hash = old.resources, old.is_current, old.openapi_hash
        if new is not None:
            self._by_name[name] = self._by_group_version[new.group_version] = new
        if old is not None or new is not None:
            self.generation += 1
        for listener in self._listeners:
            listener(name)
