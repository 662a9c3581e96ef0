"""Objects that decide about other requests: webhook configurations, policies, roles, quotas.

Their readers are tables over the watch cache, which lags behind etcd by a moment. A write of such an object is therefore answered once
the cache shows it: the client's next request meets the webhook that it has just configured, and none that it has just deleted. (Upstream's
servers see each other's writes some time later, and so its clients probe and wait; with one server nobody has to.)
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from control_plane.apiserver.registry.call import Call
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError

_GROUPS: Final = frozenset({"admissionregistration.k8s.io", "rbac.authorization.k8s.io"})
_PLURALS: Final = frozenset({"resourcequotas", "limitranges", "priorityclasses", "runtimeclasses"})

T = TypeVar("T")


class Governing:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    async def after(self, call: Call, write: Coroutine[Any, Any, T]) -> T:
        """The write's result. If the cache stays behind (or etcd went away) the write has happened nevertheless, and is answered."""
        result = await write
        resource = call.resource
        if not call.subresource and resource.custom is None and (resource.group in _GROUPS or resource.plural in _PLURALS):
            with suppress(ApiError):
                await self._cache.fresh()
        return result
