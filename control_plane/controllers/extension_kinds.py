"""The kinds that extension servers serve behind APIServices, in this process's table: for controllers that deal with every kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import msgspec

from control_plane.controllers.custom_kinds import CUSTOM
from control_plane.controllers.managed import ManagedController
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersion, GroupVersionKind, ResourceType
from kube.client.informer import Informer
from kube.client.transport import Location

LOOK_EVERY_S: Final = 30.0       # nothing tells when a server begins to serve another kind


class ServedElsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """An APIService, as far as needed."""

    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apiregistration.k8s.io", "v1", "APIService")

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ServedElsewhereSpec = msgspec.field(default_factory=lambda: ServedElsewhereSpec())
    status: ServedElsewhereStatus = msgspec.field(default_factory=lambda: ServedElsewhereStatus())

    @property
    def group_version(self) -> GroupVersion | None:
        """None: served by the apiserver itself."""
        return None if self.spec.service is None else GroupVersion(self.spec.group, self.spec.version)


class ServedElsewhereSpec(msgspec.Struct, frozen=True, kw_only=True):
    group: str = ""
    version: str = ""
    service: dict[str, Any] | None = None


class ServedElsewhereStatus(msgspec.Struct, frozen=True, kw_only=True):
    conditions: tuple[Any, ...] | None = None       # only that they changed


class ServedResource(msgspec.Struct, frozen=True, kw_only=True):
    """An APIResource, as far as needed. What a server tells of itself is not trusted to have this form."""

    name: str = ""
    kind: str = ""
    namespaced: bool = False
    verbs: tuple[str, ...] | None = None


class ServedResources(msgspec.Struct, frozen=True, kw_only=True):
    resources: tuple[ServedResource, ...] | None = None


class ExtensionKinds:
    """Keeps the table for one controller; several may, they do the same to it."""

    def __init__(self, controller: ManagedController[Any], on_change: Callable[[], None] | None = None) -> None:
        """Before the controller runs: it then waits until the APIServices are known."""
        self._client = controller.client
        self._on_change = on_change
        self._rows: dict[GroupVersion, list[ResourceType]] = {}
        self._woken = asyncio.Event()
        self._services: Informer[ServedElsewhere] = controller.informer(ServedElsewhere)
        self._services.add_handler(self._wake, lambda _old, new: self._wake(new), self._wake)

    def _wake(self, service: ServedElsewhere) -> None:
        if service.group_version is not None:
            self._woken.set()

    async def refresh(self) -> dict[GroupVersion, str]:
        """Asks for the kinds of every extension server. Those whose kinds cannot be told now, and why; what they served is kept."""
        wanted = {held for service in self._services.store.list() if (held := service.group_version) is not None}
        failed: dict[GroupVersion, str] = {}
        changed = False
        for gone in self._rows.keys() - wanted:
            changed |= self._put(gone, [])
        for group_version in sorted(wanted, key=str):
            try:
                rows = await self._discover(group_version)
            except (errors.ApiError, msgspec.MsgspecError) as error:
                failed[group_version] = str(error)
            else:
                changed |= self._put(group_version, rows)
        if changed and self._on_change is not None:
            self._on_change()
        return failed

    async def follow(self) -> None:
        """Until cancelled: refreshes when an APIService changes, and from time to time while there is one."""
        while True:
            self._woken.clear()
            failed = await self.refresh()
            try:
                async with asyncio.timeout(LOOK_EVERY_S if self._rows or failed else None):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _discover(self, group_version: GroupVersion) -> list[ResourceType]:
        nothing = ResourceType(group_version.group, group_version.version, "", "", namespaced=False)
        listed = msgspec.json.decode(await self._client.transport.get(Location(nothing)), type=ServedResources)
        return rows_of_list(group_version, listed.resources or ())

    def _put(self, group_version: GroupVersion, rows: list[ResourceType]) -> bool:
        held = self._rows.pop(group_version, [])
        if rows:
            self._rows[group_version] = rows
        for row in held:
            if row not in rows and SCHEME.for_kind(row.gvk) == row:
                SCHEME.remove(row)
        for row in rows:
            known = SCHEME.for_path(row.group, row.version, row.plural)
            if known is None or (known.custom is not None and known != row):
                SCHEME.add(row)
        return held != rows


def rows_of_list(group_version: GroupVersion, listed: Iterable[ServedResource]) -> list[ResourceType]:
    """An APIResourceList as rows. They are marked as custom: nobody here knows their schemas."""
    subresources: dict[str, list[str]] = {}
    found = []
    for one in listed:
        name, _, subresource = one.name.partition("/")
        if subresource:
            subresources.setdefault(name, []).append(subresource)
        elif name and one.kind:
            found.append(one)
    return [
        ResourceType(
            group_version.group, group_version.version, one.kind, one.name, namespaced=one.namespaced, verbs=one.verbs or (),
            subresources=tuple(sorted(subresources.get(one.name, ()))), custom=CUSTOM,
        )
        for one in found
    ]
