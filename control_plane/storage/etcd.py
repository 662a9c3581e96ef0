"""etcd as Kubernetes uses it: range, compare-and-swap on one key, watch. Thin, on the stubs of `aetcd.rpc`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from kube.process.config import TlsFiles

from control_plane.storage.errors import StoredValue


class RangeResult(NamedTuple):
    items: list[StoredValue]
    revision: int          # the store's revision that the answer shows
    more: bool
    count: int             # of all keys in the range


class StoreEvent(NamedTuple):
    key: str
    value: bytes | None    # None: deleted
    revision: int
    created: bool


class WatchBatch(NamedTuple):
    """Events of whole revisions, in order; all up to `revision` have been told once this batch is taken."""

    events: list[StoreEvent]
    revision: int


class EtcdStore:
    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None = None) -> None:
        raise NotImplementedError

    @classmethod
    @asynccontextmanager
    async def connect(cls, endpoints: Sequence[str], tls: TlsFiles | None = None) -> AsyncIterator[EtcdStore]:
        """Open while the context is; also owns the lease pool."""
        raise NotImplementedError
        yield

    async def get(self, key: str, *, revision: int = 0, serializable: bool = False) -> StoredValue | None:
        raise NotImplementedError

    async def range(
        self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "", keys_only: bool = False
    ) -> RangeResult:
        """Keys below `prefix`, sorted. `revision` reads the past (raises Compacted); `start_after` is the last key of the page before."""
        raise NotImplementedError

    async def create(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """The new revision. Raises KeyExists."""
        raise NotImplementedError

    async def update(self, key: str, value: bytes, *, expected_revision: int, ttl_s: float | None = None) -> int:
        """The new revision. Raises RevisionMismatch, which carries what the key holds now."""
        raise NotImplementedError

    async def delete(self, key: str, *, expected_revision: int) -> int:
        """The revision of the deletion. Raises RevisionMismatch."""
        raise NotImplementedError

    async def current_revision(self) -> int:
        """Linearizable: no write acknowledged before the call is newer."""
        raise NotImplementedError

    def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[WatchBatch]:
        """From `start_revision` on, across reconnects, each event once. Raises Compacted."""
        raise NotImplementedError

    async def compact(self, revision: int) -> None:
        raise NotImplementedError
