"""get and list: from the watch cache, the past from etcd.

    resourceVersion   match          what is shown
    ""                               the newest state: the cache once it has caught up with etcd
    "0"                              what the cache holds, and never in pages
    N                 ""/NotOlderThan  the cache once it shows N (get and list; with a limit and no match: exactly N, as upstream)
    N                 Exact          the state at N, from etcd
    a continue token                 the state its first page showed, from etcd
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.continue_token import ContinueExpired, ContinueToken
from control_plane.apiserver.registry.options import ListOptions, parse_resource_version
from control_plane.apiserver.strategies.registry import strategy_for
from control_plane.apiserver.turn import Turn
from control_plane.storage.cached_object import CachedObject, prepare
from control_plane.storage.errors import Compacted, FutureRevision, StoredValue
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import resource_prefix
from control_plane.storage.watch_cache import WatchCache, too_large_resource_version
from kube.apimachinery.errors import BadRequest, Expired, not_found
from kube.apimachinery.labels import Selector
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupResource, ResourceType

Predicate = Callable[[CachedObject], bool]

_INDEXED = {GroupResource("", "pods"): "spec.nodeName"}      # as upstream's: every kubelet asks for its own
_CHUNK = 500      # keys per question when a selective page is filled from etcd


@dataclass(frozen=True, slots=True)
class ListPage:
    items: list[CachedObject]
    revision: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> JsonObject:
        metadata: JsonObject = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            metadata["continue"] = self.continue_token
            if self.remaining is not None:
                metadata["remainingItemCount"] = self.remaining
        return metadata


def predicate(resource: ResourceType, options: ListOptions) -> Predicate | None:
    """Whether an object is selected; None when all are."""
    labels, fields = options.labels, options.fields
    if labels is None and fields is None:
        return None
    strategy = strategy_for(resource)
    values = strategy.fields
    if fields is not None:
        for requirement in fields.requirements:
            if why := strategy.unsupported_field(requirement.key):
                raise BadRequest(why)

    label_test, api_version = _label_test(labels), resource.api_version
    if fields is None:
        return lambda item: label_test(item.labels)
    field_test = fields.matches
    if labels is None:
        return lambda item: field_test(item.fields(api_version, values))
    return lambda item: label_test(item.labels) and field_test(item.fields(api_version, values))


def _label_test(labels: Selector | None) -> Callable[[Mapping[str, str]], bool]:
    """The selector's `matches`, quicker for the usual one: a single value."""
    if labels is None:
        return lambda held: True
    if not labels.nothing and len(labels.requirements) == 1 and labels.requirements[0].operator in ("=", "==", "in"):
        [term] = labels.requirements
        key, values = term.key, term.values
        return lambda held: held.get(key) in values
    return labels.matches


class Reader:
    def __init__(self, store: EtcdStore, cache: WatchCache) -> None:
        self._store = store
        self._cache = cache

    async def get(self, call: Call, resource_version: str = "") -> CachedObject:
        """Raises NotFound."""
        if resource_version == "":
            await self._cache.fresh()
        elif resource_version != "0":
            await self._cache.wait_for(parse_resource_version(resource_version))
        found = self._cache.get(call.resource, call.key)
        if found is None:
            raise not_found(call.group_resource, call.name)
        await prepare(call.resource, [found])
        return found

    async def find(self, call: Call) -> CachedObject | None:
        """As the cache has it, which may lag."""
        return self._cache.get(call.resource, call.key)

    async def _candidates(self, call: Call, options: ListOptions) -> tuple[list[CachedObject], int]:
        """All that a LIST can show, or fewer where an index tells."""
        field = _INDEXED.get(call.group_resource)
        value = None if field is None or options.fields is None else options.fields.required_value(field)
        if field is None or value is None:
            return self._cache.list(call.resource, call.namespace)
        api_version, values = call.resource.api_version, strategy_for(call.resource).fields

        def value_of(item: CachedObject) -> str:
            return item.fields(api_version, values)[field]

        if not self._cache.has_index(call.resource, field):       # what it is made of is looked up in turns, it itself then at once
            turn = Turn()
            for item in self._cache.list(call.resource)[0]:
                value_of(item)
                if turn.is_over():
                    await asyncio.sleep(0)
        return self._cache.list_with(call.resource, field, value, value_of, call.namespace)

    async def list(self, call: Call, options: ListOptions) -> ListPage:
        chosen = predicate(call.resource, options)
        if options.continue_token:
            return await self._continue(call, options, chosen)
        wanted = parse_resource_version(options.resource_version)
        exact = options.resource_version_match == "Exact" or (options.limit > 0 and wanted > 0 and not options.resource_version_match)
        if exact and wanted:
            await self._cache.wait_for(wanted)
            return await self._page_of_the_past(call, options, chosen, wanted, "")
        if options.resource_version == "":
            await self._cache.fresh()
        elif wanted:
            await self._cache.wait_for(wanted)
        items, revision = await self._candidates(call, options)
        await prepare(call.resource, items)
        limit = 0 if options.resource_version == "0" else options.limit
        if chosen is None:
            return _first_page(items, revision, limit, call.namespace)
        return _first_selected(await _selected(items, chosen, limit), revision, limit, call.namespace)

    async def _continue(self, call: Call, options: ListOptions, chosen: Predicate | None) -> ListPage:
        if options.resource_version not in ("", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        token = ContinueToken.decode(options.continue_token)
        return await self._page_of_the_past(call, options, chosen, token.revision, token.after)

    async def _page_of_the_past(
        self, call: Call, options: ListOptions, chosen: Predicate | None, revision: int, after: str
    ) -> ListPage:
        prefix = resource_prefix(call.resource) + (f"{call.namespace}/" if call.namespace else "")
        items: list[CachedObject] = []
        while True:
            limit = options.limit if chosen is None else max(options.limit, _CHUNK) if options.limit else 0
            try:
                found = await self._store.range(prefix, revision=revision, limit=limit, start_after=prefix + after if after else "")
            except Compacted as error:
                if options.continue_token:
                    raise ContinueExpired(after) from error
                raise Expired(f"The resourceVersion for the provided list is too old: {revision}") from error
            except FutureRevision as error:
                raise too_large_resource_version(revision, self._cache.revision) from error
            revision = revision or found.revision
            held = [_stored_object(call.resource, stored) for stored in found.items]
            await prepare(call.resource, held)
            for position, (stored, item) in enumerate(zip(found.items, held, strict=True)):
                after = stored.key.removeprefix(prefix)
                if chosen is None or chosen(item):
                    items.append(item)
                if options.limit and len(items) == options.limit:
                    left = found.total - position - 1
                    return _cut(items, revision, after, left, None if options.selective else left)
            if not found.more:
                return ListPage(items, revision)


def _stored_object(resource: ResourceType, stored: StoredValue) -> CachedObject:
    key = stored.key.removeprefix(resource_prefix(resource))
    namespace, _, name = key.rpartition("/")
    return CachedObject.from_stored(resource, stored, NamespacedName(namespace, name))


def _first_page(items: list[CachedObject], revision: int, limit: int, namespace: str) -> ListPage:
    if not limit or len(items) <= limit:
        return ListPage(items, revision)
    return _cut(items[:limit], revision, _relative(items[limit - 1], namespace), len(items) - limit, len(items) - limit)


async def _selected(items: list[CachedObject], chosen: Predicate, limit: int) -> list[CachedObject]:
    """With a limit one more than that, if there are as many. In turns: an object that nobody has looked into yet is decoded."""
    found: list[CachedObject] = []
    turn = Turn()
    for item in items:
        if chosen(item):
            found.append(item)
            if limit and len(found) > limit:
                break
        if turn.is_over():
            await asyncio.sleep(0)
    return found


def _first_selected(found: list[CachedObject], revision: int, limit: int, namespace: str) -> ListPage:
    if not limit or len(found) <= limit:
        return ListPage(found, revision)
    return _cut(found[:limit], revision, _relative(found[limit - 1], namespace), 1, None)


def _relative(item: CachedObject, namespace: str) -> str:
    return item.key.removeprefix(f"{namespace}/") if namespace else item.key


def _cut(items: list[CachedObject], revision: int, after: str, left: int, remaining: int | None) -> ListPage:
    if left <= 0:
        return ListPage(items, revision)
    return ListPage(items, revision, ContinueToken(revision, after).encode(), remaining)
