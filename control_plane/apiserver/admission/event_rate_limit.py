"""Events are written no faster than the configuration allows: all together, by namespace, by user, by what they are about."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.errors import TooManyRequests
from kube.apimachinery.scheme import GroupResource
from kube.process.config import ConfigError

EVENTS: Final = GroupResource("", "events")
_API_VERSION: Final = "eventratelimit.admission.k8s.io/v1alpha1"
_KEPT: Final = 4096


class Limit(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`burst` at once, then `qps` a second; of how many keys the state is kept: `cacheSize`."""

    type: str
    qps: int = 0
    burst: int = 0
    cache_size: int = 0


class _Configuration(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    api_version: str = ""
    kind: str = ""
    limits: list[Limit] = []


class EventRateLimit:
    """Follows kube-apiserver's EventRateLimit."""

    name: ClassVar[str] = "EventRateLimit"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({EVENTS})

    def __init__(self, context: AdmissionContext) -> None:
        """Raises ConfigError: also without a configuration, as upstream."""
        self._buckets = [Buckets(limit) for limit in _read(context.configuration.get(self.name))]

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.dry_run:
            return
        now = time.monotonic()
        said = [why for buckets in self._buckets if (why := buckets.refusal(request, now))]      # each takes a token
        if said:
            raise TooManyRequests("Too many requests: " + (said[0] if len(said) == 1 else f"[{', '.join(said)}]"))


class Buckets:
    """Token buckets of one limit: key -> (tokens, when)."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._key = _KEYS[limit.type]
        self._kept = limit.cache_size or _KEPT
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def refusal(self, request: AdmissionRequest, now: float) -> str:
        """"" where there is a token, which is taken. `now` in seconds."""
        key = self._key(request)
        tokens, since = self._held.pop(key, (float(self._limit.burst), now))
        tokens = min(self._limit.burst, tokens + (now - since) * self._limit.qps)
        allowed = tokens >= 1
        self._held[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._held) > self._kept:
            self._held.popitem(last=False)
        return "" if allowed else f"limit reached on type {self._limit.type} for key {key}"


def _source_and_object(request: AdmissionRequest) -> str:
    event = request.obj or {}
    source, about = event.get("source") or {}, event.get("involvedObject") or {}
    fields = ("kind", "namespace", "name", "uid", "apiVersion")
    return "".join((source.get("component") or "", source.get("host") or "", *(about.get(field) or "" for field in fields)))


_KEYS: Final[dict[str, Callable[[AdmissionRequest], str]]] = {
    "Server": lambda request: "",
    "Namespace": lambda request: request.namespace,
    "User": lambda request: request.user.name,
    "SourceAndObject": _source_and_object,
}


def _read(configuration: dict[str, Any] | None) -> list[Limit]:
    try:
        read = msgspec.convert(configuration or {}, _Configuration)
    except msgspec.ValidationError as error:
        raise ConfigError(f"EventRateLimit: {error}") from error
    if configuration and (read.api_version, read.kind) != (_API_VERSION, "Configuration"):
        raise ConfigError(f"EventRateLimit: no kind Configuration of {_API_VERSION}")
    if not read.limits:
        raise ConfigError("EventRateLimit: limits: Invalid value: []: must not be empty")
    for index, limit in enumerate(read.limits):
        at = f"EventRateLimit: limits[{index}]"
        if limit.type not in _KEYS:
            known = ", ".join(f'"{kind}"' for kind in sorted(_KEYS))
            raise ConfigError(f'{at}.type: Unsupported value: "{limit.type}": supported values: {known}')
        for field, value in (("burst", limit.burst), ("qps", limit.qps)):
            if value <= 0:
                raise ConfigError(f"{at}.{field}: Invalid value: {value}: must be positive")
        if limit.type != "Server" and limit.cache_size < 0:
            raise ConfigError(f"{at}.cacheSize: Invalid value: {limit.cache_size}: must not be negative")
    return read.limits
