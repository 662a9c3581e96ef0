"""The kinds that CustomResourceDefinitions define, in this process's resource table: for controllers that deal with every kind.

Of a definition only what makes its rows is decoded; schemas may be large, and nobody here reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec

from control_plane.controllers.managed import ManagedController
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.custom_rows import rows_of
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.client.informer import Informer

CUSTOM: Final = True      # what marks a row here as one of a custom kind


class KindDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A CustomResourceDefinition, as far as needed."""

    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: KindSpec = msgspec.field(default_factory=lambda: KindSpec())
    status: KindStatus = msgspec.field(default_factory=lambda: KindStatus())


class KindVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str = ""
    served: bool = False
    storage: bool = False
    subresources: dict[str, Any] | None = None


class KindSpec(msgspec.Struct, frozen=True, kw_only=True):
    group: str = ""
    scope: str = ""
    versions: tuple[KindVersion, ...] = ()


class KindCondition(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""


class KindStatus(msgspec.Struct, frozen=True, kw_only=True, rename={"accepted_names": "acceptedNames"}):
    accepted_names: dict[str, Any] = msgspec.field(default_factory=dict)
    conditions: tuple[KindCondition, ...] | None = None


class CustomKinds:
    """Keeps the table for one controller; several may, they do the same to it."""

    def __init__(self, controller: ManagedController[Any], on_change: Callable[[], None] | None = None) -> None:
        """Before the controller runs: it then waits until the kinds are known."""
        self._on_change = on_change
        self._rows: dict[str, list[ResourceType]] = {}
        informer: Informer[KindDefinition] = controller.informer(KindDefinition)
        informer.add_handler(self._changed, lambda _old, new: self._changed(new), self._gone)

    def _changed(self, definition: KindDefinition) -> None:
        self._put(definition.metadata.name, rows_of(msgspec.to_builtins(definition), lambda _version: CUSTOM))

    def _gone(self, definition: KindDefinition) -> None:
        self._put(definition.metadata.name, [])

    def _put(self, name: str, rows: list[ResourceType]) -> None:
        held = self._rows.get(name, [])
        if held == rows:
            return
        self._rows[name] = rows
        for row in held:
            if row not in rows and SCHEME.for_kind(row.gvk) == row:
                SCHEME.remove(row)
        for row in rows:
            known = SCHEME.for_path(row.group, row.version, row.plural)
            if known is None or (known.custom is not None and known != row):
                SCHEME.add(row)
        if self._on_change is not None:
            self._on_change()
