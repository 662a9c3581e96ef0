"""Everything under /registry/ in memory, kept by one etcd watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import ResourceType, Scheme

from control_plane.storage.cached_object import CachedObject
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.subscription import CacheEvent, Subscription


class WatchCache:
    """Everything under /registry/, in memory, as of `revision`."""

    def __init__(self, store: EtcdStore, scheme: Scheme, *, events_per_resource: int = 1000, queue_limit: int = 10_000) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        """Loads, then follows, until cancelled."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        raise NotImplementedError

    @property
    def revision(self) -> int:
        raise NotImplementedError

    async def wait_ready(self) -> None:
        raise NotImplementedError

    async def fresh(self) -> int:
        """Returns once the cache shows every write acknowledged before the call. Raises errors.Timeout after 3 s."""
        raise NotImplementedError

    async def wait_for(self, revision: int) -> None:
        """Returns once the cache shows `revision`. Raises errors.Timeout ("Too large resource version") after 3 s."""
        raise NotImplementedError

    def get(self, resource: ResourceType, key: NamespacedName) -> CachedObject | None:
        raise NotImplementedError

    def list(self, resource: ResourceType, namespace: str = "") -> tuple[list[CachedObject], int]:
        """Sorted by key, and the revision that the answer shows."""
        raise NotImplementedError

    def subscribe(self, resource: ResourceType, *, since: int | None, namespace: str = "") -> Subscription:
        """Events after revision `since`; None: the present objects (`initial`), then what follows. Raises errors.Expired."""
        raise NotImplementedError

    def observe(
        self, resource: ResourceType, on_event: Callable[[CacheEvent], None], on_reset: Callable[[Iterable[CachedObject]], None]
    ) -> None:
        """Calls synchronously with each event, before any subscriber sees it; for indexes. `on_reset` gets all objects when the cache is loaded (again)."""
        raise NotImplementedError
