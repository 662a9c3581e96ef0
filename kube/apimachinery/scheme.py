"""Resource types and the table they stand in.

Every built-in kind is a row (`resources.py`); routes, discovery, etcd keys, short names and RBAC read the row.
A CustomResourceDefinition adds rows at run time (custom_rows.py makes them); such a row knows what serves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class GroupVersion(NamedTuple):
    group: str
    version: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def parse(cls, api_version: str) -> GroupVersion:
        group, slash, version = api_version.rpartition("/")
        return cls(group if slash else "", version)


class GroupVersionKind(NamedTuple):
    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return str(GroupVersion(self.group, self.version))

    @classmethod
    def of(cls, api_version: str, kind: str) -> GroupVersionKind:
        return cls(*GroupVersion.parse(api_version), kind)


class GroupResource(NamedTuple):
    """A resource without a version; prints as upstream's messages name it: "pods", "deployments.apps"."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One served resource in one version.

    `storage_group` and `storage_version` name the identity it is stored under when that differs from the served one
    (events.k8s.io and core events share one store; autoscaling/v1 HPAs are stored as autoscaling/v2).
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    singular: str = ""
    storage_group: str | None = None
    storage_version: str | None = None
    hashed_version: str = ""        # in which upstream stores it, where ours differs: discovery's hash names it
    list_name: str = ""             # kind of lists, where it is not the kind with "List" behind it
    custom: Any = None              # of a custom kind: what serves this version (control_plane/apiserver/custom); compared by identity
    discoverable: bool = True       # a custom kind is served as soon as its names are accepted, and shown once it is established

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind(self.group, self.version, self.kind)

    @property
    def group_version(self) -> GroupVersion:
        return GroupVersion(self.group, self.version)

    @property
    def api_version(self) -> str:
        return str(self.group_version)

    @property
    def group_resource(self) -> GroupResource:
        return GroupResource(self.group, self.plural)

    @property
    def list_kind(self) -> str:
        return self.list_name or self.kind + "List"

    @property
    def singular_name(self) -> str:
        return self.singular or self.kind.lower()

    @property
    def storage_identity(self) -> GroupResource:
        """What the store and the watch cache key by: one per stored object, however many versions serve it."""
        return GroupResource(self.group if self.storage_group is None else self.storage_group, self.plural)

    @property
    def storage_gvk(self) -> GroupVersionKind:
        group = self.group if self.storage_group is None else self.storage_group
        return GroupVersionKind(group, self.storage_version or self.version, self.kind)


_VERSION = re.compile("v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}


def version_priority(version: str) -> tuple[int, int, int, int, str]:
    """Sorts versions as upstream prefers them: v10 < v2 < v1 < v2beta2 < v1beta1 < v3alpha1 < foo1 < foo10, the preferred one first."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (1, 0, 0, 0, version)
    return (0, -_STABILITY[match[2]], -int(match[1]), -int(match[3] or 0), version)


class Scheme:
    """Looks resource types up by kind and by path. Custom rows come and go; `generation` tells those who keep something made from it."""

    def __init__(self, rows: Iterable[ResourceType]) -> None:
        self._by_kind: dict[GroupVersionKind, ResourceType] = {}
        self._by_path: dict[tuple[str, str, str], ResourceType] = {}
        self._built_in: dict[GroupVersion, None] = {}
        self.generation = 0
        for row in rows:
            self.add(row)
            self._built_in[row.group_version] = None

    def add(self, row: ResourceType) -> None:
        self._by_kind[row.gvk] = row
        self._by_path[row.group, row.version, row.plural] = row
        self.generation += 1

    def remove(self, row: ResourceType) -> None:
        self._by_kind.pop(row.gvk, None)
        self._by_path.pop((row.group, row.version, row.plural), None)
        self.generation += 1

    def __iter__(self) -> Iterator[ResourceType]:
        return iter([*self._by_path.values()])

    def for_kind(self, gvk: GroupVersionKind) -> ResourceType | None:
        return self._by_kind.get(gvk)

    def for_path(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._by_path.get((group, version, plural))

    def versions_of(self, group_resource: GroupResource) -> list[ResourceType]:
        return [row for row in self if row.group_resource == group_resource]

    def is_built_in(self, group: str) -> bool:
        return any(one.group == group for one in self._built_in)

    def group_versions(self) -> list[GroupVersion]:
        """What discovery shows, each once: the built-in ones in table order, then the others by group and preference."""
        shown = {row.group_version for row in self._by_path.values() if row.discoverable}
        built_in = [one for one in self._built_in if one in shown]
        added = sorted(shown - self._built_in.keys(), key=lambda one: (one.group, version_priority(one.version)))
        return built_in + added
