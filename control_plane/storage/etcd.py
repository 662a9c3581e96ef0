"""etcd as Kubernetes uses it: range, compare-and-swap on one key, watch. Thin, on the stubs of `aetcd.rpc`.

Every write is one transaction guarded by the key's mod_revision. When a connection breaks under a write, nobody knows whether
it happened; the same transaction is then tried again, which is safe, since the guard lets it happen once. If the guard then
fails, `_settle` says what is known: often that the earlier try did it, or that it did not; else the caller hears StoreUnavailable.
Never a success that may be another's: two clients that count from 1 to 2 write the same bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from aetcd import rpc

from control_plane.storage.connection import REQUEST_TIMEOUT_S, TRY_TIMEOUT_S, Connection, LeaseNotFound, open_connection, tries
from control_plane.storage.errors import KeyExists, NotReached, RevisionMismatch, StoredValue, StoreUnavailable
from control_plane.storage.etcd_watch import StoreEvent, WatchBatch, watch_forever
from control_plane.storage.leases import LeasePool
from kube.process.config import TlsFiles

if TYPE_CHECKING:
    from control_plane.storage.encryption.encryption import Encryption


class RangeResult(NamedTuple):
    items: list[StoredValue]
    revision: int          # the store's revision that the answer shows
    more: bool
    total: int             # keys in the range, on this page or not


class _TxnResult(NamedTuple):
    succeeded: bool
    revision: int
    current: StoredValue | None     # what the key holds, if the guard failed


class EtcdStore:
    def __init__(self, connection: Connection, encryption_file: str = "") -> None:
        """`encryption_file`: an EncryptionConfiguration; none: everything is stored as it is. Raises ConfigError."""
        self._connection = connection
        self._encryption_file = encryption_file
        self._encryption: Encryption | None = None
        if encryption_file:
            self.read_encryption()
        self._leases = LeasePool(connection)
        self._newest = 0                # revision that the latest answer to a write showed
        self._keep_up: Callable[[int], Awaitable[None]] | None = None

    def pace_by(self, keep_up: Callable[[int], Awaitable[None]]) -> None:
        """Each write first awaits `keep_up`, which is told the latest write's revision: whoever follows may be far behind it."""
        self._keep_up = keep_up

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, endpoints: Sequence[str], tls: TlsFiles | None = None, encryption_file: str = ""
    ) -> AsyncIterator[EtcdStore]:
        """Open while the context is. `endpoints` are host:port. Raises ConfigError for what is wrong with the file."""
        async with open_connection(endpoints, tls) as connection:
            yield cls(connection, encryption_file)

    def read_encryption(self) -> None:
        """Raises ConfigError, and leaves what there is."""
        from control_plane.storage.encryption import configuration, encryption  # few clusters encrypt

        self._encryption = encryption.Encryption(configuration.read_rules(self._encryption_file))

    async def get(self, key: str, *, revision: int = 0, serializable: bool = False) -> StoredValue | None:
        """`serializable` is cheaper, and may be stale."""
        response = await self._range(rpc.RangeRequest(key=key.encode(), revision=revision, serializable=serializable))
        return self._opened(response.kvs[0]) if response.kvs else None

    async def is_stale(self, key: str) -> bool:
        """Whether it is to be written again though nothing changed: with another key than it would be encrypted with now."""
        if self._encryption is None:
            return False
        response = await self._range(rpc.RangeRequest(key=key.encode()))
        return bool(response.kvs) and self._encryption.is_stale(key, response.kvs[0].value)

    async def range(
        self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "", keys_only: bool = False
    ) -> RangeResult:
        """Keys below `prefix`, sorted. `revision` reads the past (raises Compacted); `start_after` is the last key of the page before."""
        start, end = prefix_range(prefix)
        response = await self._range(rpc.RangeRequest(
            key=start_after.encode() + b"\0" if start_after else start, range_end=end,
            revision=revision, limit=limit, keys_only=keys_only,
        ))
        items = [_stored(kv) if keys_only else self._opened(kv) for kv in response.kvs]
        return RangeResult(items, response.header.revision, response.more, response.count)

    async def current_revision(self) -> int:
        """Linearizable: no write acknowledged before the call is newer."""
        response = await self._range(rpc.RangeRequest(key=b"\0", count_only=True))
        return int(response.header.revision)

    async def create(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """The new revision. Raises KeyExists."""
        result = await self._put(key, value, 0, ttl_s)
        if not result.succeeded:
            raise KeyExists(key, result.current)
        return result.revision

    async def update(self, key: str, value: bytes, *, expected_revision: int, ttl_s: float | None = None) -> int:
        """The new revision. Raises RevisionMismatch, which carries what the key holds now."""
        result = await self._put(key, value, expected_revision, ttl_s)
        if not result.succeeded:
            raise RevisionMismatch(key, expected_revision, result.current)
        return result.revision

    async def delete(self, key: str, *, expected_revision: int) -> int:
        """The revision of the deletion. Raises RevisionMismatch."""
        delete = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key.encode()))
        result = await self._guarded(key, expected_revision, delete, None)
        if not result.succeeded:
            raise RevisionMismatch(key, expected_revision, result.current)
        return result.revision

    def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[WatchBatch]:
        """From `start_revision` on, across reconnects, each event once. No prefix: everything. Raises Compacted."""
        batches = watch_forever(self._connection, *prefix_range(prefix), start_revision)
        return batches if self._encryption is None else _opened_batches(batches, self)

    async def compact(self, revision: int) -> None:
        """Forgets history before `revision`. Raises Compacted if it is gone already."""
        request = rpc.CompactionRequest(revision=revision)
        await self._connection.persist("compact", lambda etcd, timeout: etcd.kv.Compact(request, timeout=timeout))

    async def compare_version_and_put(self, key: str, version: int, value: bytes) -> tuple[bool, int, int]:
        """Puts if the key has been written `version` times. Returns (done, version the key has now, the store's revision)."""
        name = key.encode()
        request = rpc.TxnRequest(
            compare=[rpc.Compare(key=name, target=rpc.Compare.VERSION, result=rpc.Compare.EQUAL, version=version)],
            success=[rpc.RequestOp(request_put=rpc.PutRequest(key=name, value=value))],
            failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=name))],
        )
        response = await self._connection.persist("txn", lambda etcd, timeout: etcd.kv.Txn(request, timeout=timeout))
        held = version + 1
        if not response.succeeded:
            found = response.responses[0].response_range.kvs
            held = found[0].version if found else 0
        return response.succeeded, held, response.header.revision

    async def _range(self, request: Any) -> Any:
        return await self._connection.persist("range", lambda etcd, timeout: etcd.kv.Range(request, timeout=timeout))

    async def _put(self, key: str, value: bytes, expected_revision: int, ttl_s: float | None) -> _TxnResult:
        lease = await self._leases.lease_for(ttl_s) if ttl_s else 0
        hidden = self._encryption.seal(key, value) if self._encryption else value
        try:
            return await self._guarded(key, expected_revision, _put_op(key, hidden, lease), value)
        except LeaseNotFound:
            assert ttl_s
            self._leases.forget(lease)      # etcd was restored from a backup, or its clock jumped
            lease = await self._leases.lease_for(ttl_s)
            return await self._guarded(key, expected_revision, _put_op(key, hidden, lease), value)

    def opened(self, event: StoreEvent) -> StoreEvent:
        """By the keys of this moment. Raises TransformError."""
        if event.value is None or self._encryption is None:
            return event
        return event._replace(value=self._encryption.unseal(event.key, event.value))

    def _opened(self, kv: Any) -> StoredValue:
        stored = _stored(kv)
        return stored if self._encryption is None else stored._replace(value=self._encryption.unseal(stored.key, stored.value))

    async def _guarded(self, key: str, expected_revision: int, change: Any, wanted: bytes | None) -> _TxnResult:
        name = key.encode()
        request = rpc.TxnRequest(
            compare=[rpc.Compare(key=name, target=rpc.Compare.MOD, result=rpc.Compare.EQUAL, mod_revision=expected_revision)],
            success=[change],
            failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=name))],
        )
        if self._keep_up is not None:
            await self._keep_up(self._newest)
        in_doubt = False
        async for budget_s in tries(REQUEST_TIMEOUT_S):
            try:
                response = await self._connection.attempt(
                    "txn", lambda etcd, timeout: etcd.kv.Txn(request, timeout=timeout), min(budget_s, TRY_TIMEOUT_S)
                )
            except StoreUnavailable as error:
                in_doubt, last = in_doubt or not isinstance(error, NotReached), error
                continue
            result = self._txn_result(response)
            self._newest = result.revision      # of an etcd that was restored, less than before
            return result if result.succeeded or not in_doubt else _settle(key, expected_revision, wanted, result)
        raise last

    def _txn_result(self, response: Any) -> _TxnResult:
        current = None
        if not response.succeeded:
            kvs = response.responses[0].response_range.kvs
            current = self._opened(kvs[0]) if kvs else None
        return _TxnResult(response.succeeded, response.header.revision, current)


async def _opened_batches(batches: AsyncIterator[WatchBatch], store: EtcdStore) -> AsyncIterator[WatchBatch]:
    async for batch in batches:
        yield WatchBatch([store.opened(event) for event in batch.events], batch.revision)


def _settle(key: str, expected_revision: int, wanted: bytes | None, result: _TxnResult) -> _TxnResult:
    """The guard failed, and an earlier try may have been what changed the key. Raises StoreUnavailable when that cannot be told.

    create   what is to be written has a uid of its own: the same bytes are ours; bytes that never changed and differ are another's
    delete   a key that is gone is what was wanted; one that only changed was not deleted
    update   a key that is gone is gone; all else could be ours, or ours and another's after it
    """
    held = result.current
    if wanted is None:
        if held is None:
            return _TxnResult(True, result.revision, None)
        if held.create_revision <= expected_revision:
            return result
    elif not expected_revision:
        if held is not None and held.value == wanted:
            return _TxnResult(True, held.revision, None)
        if held is not None and held.revision == held.create_revision:
            return result
    elif held is None:
        return result
    raise StoreUnavailable(f"txn: the connection broke, and nobody knows whether {key} was written")


def _put_op(key: str, value: bytes, lease: int) -> Any:
    return rpc.RequestOp(request_put=rpc.PutRequest(key=key.encode(), value=value, lease=lease))


def _stored(kv: Any) -> StoredValue:
    return StoredValue(kv.key.decode(), kv.value, kv.mod_revision, kv.create_revision)


def prefix_range(prefix: str) -> tuple[bytes, bytes]:
    """etcd's (key, range_end) for all keys that begin with `prefix`; everything for ""."""
    if not prefix:
        return b"\0", b"\0"
    start = prefix.encode()
    return start, start[:-1] + bytes([start[-1] + 1])
