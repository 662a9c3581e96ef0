"""Makes sure, at every start, that the default roles and bindings are there."""

from __future__ import annotations

from control_plane.storage.etcd import EtcdStore
from control_plane.storage.watch_cache import WatchCache


async def ensure_bootstrap_policy(store: EtcdStore, cache: WatchCache) -> None:
    """Creates what is missing and adds what has been taken away, unless `rbac.authorization.kubernetes.io/autoupdate` is "false".

    Safe with several apiservers at once. Call when the cache is ready; namespaces of Roles need not exist yet.
    """
    raise NotImplementedError
