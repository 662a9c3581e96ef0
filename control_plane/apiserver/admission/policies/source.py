"""The policies that have bindings, as the watch cache holds them: a table from kinds of requests to policies.

A request that no rule speaks of costs one look-up; without any policy, one look at a flag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeVar

from control_plane.apiserver.admission.plugin import AdmissionRequest
from control_plane.apiserver.admission.policies.policy import Binding, Policy
from control_plane.apiserver.admission.webhooks.versions import equivalents
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.labels import SelectorError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType, Scheme
from kube.process.log import get_logger

log = get_logger("admission-policies")

GROUP: Final = "admissionregistration.k8s.io"
_EXEMPT: Final = frozenset({
    "validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
})
_TABLE_SIZE: Final = 4096
T = TypeVar("T", Policy, Binding)


class Candidates(NamedTuple):
    """Policies whose rules speak of a kind of request, and the other versions of its resource."""

    policies: tuple[Policy, ...]
    others: tuple[ResourceType, ...]


_NOBODY: Final = Candidates((), ())


class Policies:
    """All policies of one kind, by name, each with its bindings, by name."""

    def __init__(self, cache: WatchCache, scheme: Scheme, policies: str, bindings: str) -> None:
        rows = [scheme.for_path(GROUP, "v1", plural) for plural in (policies, bindings)]
        self._policies, self._bindings = (row for row in rows if row is not None)
        self._cache = cache
        self._scheme = scheme
        self._stale = True
        self._read: dict[str, tuple[int, Policy | Binding | None]] = {}
        self._all: tuple[Policy, ...] = ()
        self._table: dict[tuple[str, ...], Candidates] = {}
        self._generation = -1
        for row in (self._policies, self._bindings):
            cache.observe(row, self._on_event, self._on_reset)

    @property
    def all(self) -> tuple[Policy, ...]:
        if self._stale:
            self._load()
        return self._all

    def candidates(self, request: AdmissionRequest) -> Candidates:
        policies, resource = self.all, request.resource
        if self._generation != self._scheme.generation:     # kinds came or went: what is equivalent may have changed
            self._generation = self._scheme.generation
            self._table.clear()
        key = (request.operation, resource.group, resource.version, resource.plural, request.subresource)
        found = self._table.get(key)
        if found is None:
            found = self._matching(policies, request)
            if len(self._table) < _TABLE_SIZE:
                self._table[key] = found
        return found

    def _matching(self, policies: Iterable[Policy], request: AdmissionRequest) -> Candidates:
        resource, subresource = request.resource, request.subresource
        if resource.group == GROUP and resource.plural in _EXEMPT:      # a policy could lock itself in
            return _NOBODY
        others = tuple(equivalents(self._scheme, resource, subresource))
        meant = tuple(policy for policy in policies if policy.match.may_match(request.operation, resource, subresource, others))
        return Candidates(meant, others) if meant else _NOBODY

    def _on_event(self, event: CacheEvent) -> None:
        self._stale = True

    def _on_reset(self, objects: Iterable[CachedObject]) -> None:
        self._stale = True

    def _load(self) -> None:
        """What did not change keeps what it was compiled to."""
        read: dict[str, tuple[int, Policy | Binding | None]] = {}
        bindings: dict[str, list[Binding]] = {}
        for binding in self._each(self._bindings, Binding, Binding.of, read):
            bindings.setdefault(binding.policy, []).append(binding)
        every = []
        for policy in self._each(self._policies, Policy, Policy.of, read):
            if bound := tuple(bindings.get(policy.name, ())):
                policy.bindings = bound
                every.append(policy)
        self._read, self._all = read, tuple(every)
        self._table.clear()
        self._stale = False

    def _each(
        self, row: ResourceType, kind: type[T], of: Callable[[str, JsonObject], T], read: dict[str, tuple[int, Policy | Binding | None]]
    ) -> Iterator[T]:
        for item in self._cache.list(row)[0]:
            held = self._read.get(item.key)
            if held is None or held[0] != item.revision:
                held = (item.revision, _read(item, of))
            read[item.key] = held
            if isinstance(held[1], kind):
                yield held[1]


def _read(item: CachedObject, of: Callable[[str, JsonObject], T]) -> T | None:
    try:
        return of(item.name, item.obj)
    except SelectorError as error:          # validation lets none through
        log.error("unreadable selector", object=item.key, error=str(error))
        return None
