"""The configurations as the watch cache holds them, compiled once per revision: a table from kinds of requests to webhooks.

A request that no rule speaks of costs one look-up; without any configuration, none.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.admission.webhooks.rules import Rule, is_exempt
from control_plane.apiserver.admission.webhooks.versions import equivalents
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.labels import NOTHING, Selector, SelectorError, selector_from_label_selector
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType, Scheme

GROUP: Final = "admissionregistration.k8s.io"
_DEFAULT_PORT: Final = 443
_TABLE_SIZE: Final = 4096


@dataclass(frozen=True, slots=True)
class ServiceReference:
    namespace: str
    name: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook is called. `ca_bundle` is PEM; empty: the machine's own CAs are trusted."""

    url: str = ""
    service: ServiceReference | None = None
    ca_bundle: bytes = b""

    @classmethod
    def of(cls, config: JsonObject) -> Target:
        bundle = base64.b64decode(config.get("caBundle") or "")     # the schema has checked that it is base64
        if not (service := config.get("service")):
            return cls(config.get("url") or "", None, bundle)
        port = service.get("port") or _DEFAULT_PORT
        return cls("", ServiceReference(service.get("namespace", ""), service.get("name", ""), port, service.get("path") or ""), bundle)


@dataclass(frozen=True, slots=True, eq=False)
class Webhook:
    """One webhook of a configuration. Selectors that cannot be read (old objects may hold such) tell why in `selector_error`."""

    uid: str                            # configuration/name/number: unique, as the second round needs it
    configuration: str
    name: str
    rules: tuple[Rule, ...]
    target: Target
    namespace_selector: Selector
    object_selector: Selector
    match_conditions: tuple[JsonObject, ...]
    equivalent: bool
    ignores_failures: bool
    side_effects: str | None
    timeout_s: int
    review_versions: tuple[str, ...]
    reinvoked: bool
    selector_error: str = ""

    @classmethod
    def of(cls, configuration: str, number: int, hook: JsonObject) -> Webhook:
        name = hook.get("name", "")
        namespaces, objects, why = NOTHING, NOTHING, ""
        try:
            namespaces = selector_from_label_selector(hook.get("namespaceSelector") or {})
            objects = selector_from_label_selector(hook.get("objectSelector") or {})
        except SelectorError as error:
            why = str(error)
        return cls(
            f"{configuration}/{name}/{number}", configuration, name, tuple(map(Rule.of, hook.get("rules") or ())),
            Target.of(hook.get("clientConfig") or {}), namespaces, objects, tuple(hook.get("matchConditions") or ()),
            hook.get("matchPolicy") == "Equivalent", hook.get("failurePolicy") == "Ignore", hook.get("sideEffects"),
            hook.get("timeoutSeconds") or 10, tuple(hook.get("admissionReviewVersions") or ()),
            hook.get("reinvocationPolicy") == "IfNeeded", why,
        )


class Candidate(NamedTuple):
    """A webhook whose rules speak of a request. `resource` is the version it wants to see; `place` its number among all."""

    place: int
    webhook: Webhook
    resource: ResourceType


class Webhooks:
    """All webhooks of one kind of configuration, in upstream's order: configurations by name, webhooks as they are written."""

    def __init__(self, cache: WatchCache, scheme: Scheme, plural: str) -> None:
        row = scheme.for_path(GROUP, "v1", plural)
        assert row is not None
        self._cache = cache
        self._scheme = scheme
        self._row = row
        self._stale = False
        self._compiled: dict[str, tuple[int, tuple[Webhook, ...]]] = {}
        self._all: tuple[Webhook, ...] = ()
        self._table: dict[tuple[str, ...], tuple[Candidate, ...]] = {}
        self._generation = -1
        cache.observe(row, self._on_event, self._on_reset)

    @property
    def all(self) -> tuple[Webhook, ...]:
        if self._stale:
            self._compile()
        return self._all

    def candidates(self, request: AdmissionRequest) -> tuple[Candidate, ...]:
        webhooks, resource = self.all, request.resource
        generation = self._scheme.generation
        if self._generation != generation:      # kinds came or went: what is equivalent may have changed
            self._generation = generation
            self._table.clear()
        key = (request.operation, resource.group, resource.version, resource.plural, request.subresource)
        found = self._table.get(key)
        if found is None:
            found = tuple(self._matching(webhooks, request.operation, resource, request.subresource))
            if len(self._table) < _TABLE_SIZE:
                self._table[key] = found
        return found

    def _matching(
        self, webhooks: Iterable[Webhook], operation: Operation, resource: ResourceType, subresource: str
    ) -> Iterable[Candidate]:
        if is_exempt(resource):
            return
        others = equivalents(self._scheme, resource, subresource)
        for index, webhook in enumerate(webhooks):
            if any(rule.matches(operation, resource, subresource) for rule in webhook.rules):
                yield Candidate(index, webhook, resource)
            elif webhook.equivalent:
                wanted = (row for rule in webhook.rules for row in others if rule.matches(operation, row, subresource))
                if row := next(wanted, None):
                    yield Candidate(index, webhook, row)

    def _on_event(self, event: CacheEvent) -> None:
        self._stale = True

    def _on_reset(self, objects: Iterable[CachedObject]) -> None:
        self._stale = True

    def _compile(self) -> None:
        """Configurations that did not change keep what they were compiled to."""
        compiled: dict[str, tuple[int, tuple[Webhook, ...]]] = {}
        for item in self._cache.list(self._row)[0]:
            held = self._compiled.get(item.key)
            compiled[item.key] = held if held and held[0] == item.revision else (item.revision, tuple(_webhooks(item.name, item.obj)))
        self._compiled = compiled
        self._all = tuple(webhook for _, webhooks in compiled.values() for webhook in webhooks)
        self._table.clear()
        self._stale = False


def _webhooks(configuration: str, obj: JsonObject) -> Iterable[Webhook]:
    numbers: dict[str, int] = {}
    for hook in obj.get("webhooks") or ():
        name = hook.get("name", "")
        number = numbers.get(name, 0)
        numbers[name] = number + 1
        yield Webhook.of(configuration, number, hook)
