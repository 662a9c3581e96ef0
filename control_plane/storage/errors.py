"""What storage raises; no gRPC error leaves this package.

    StorageError
    ├── KeyExists           create: the key is there already
    ├── RevisionMismatch    update, delete: the key is not at the expected revision (or gone)
    ├── Compacted           the revision asked for has been compacted away
    ├── FutureRevision      the revision asked for is still to come
    ├── ValueTooLarge       etcd's request limit (1.5 MiB)
    └── StoreUnavailable    no endpoint answered in time; of a write nobody knows whether it happened
        └── NotReached      there was no connection: nothing happened
"""

from __future__ import annotations

from typing import NamedTuple


class StoredValue(NamedTuple):
    key: str
    value: bytes
    revision: int          # mod_revision: the object's resourceVersion
    create_revision: int = 0


class StorageError(Exception):
    """Base of all errors of this package."""


class KeyExists(StorageError):
    def __init__(self, key: str, current: StoredValue | None = None) -> None:
        super().__init__(f"{key} exists")
        self.current = current


class RevisionMismatch(StorageError):
    """`current` is what the key holds now, None if it is gone."""

    def __init__(self, key: str, expected: int, current: StoredValue | None) -> None:
        found = f"at revision {current.revision}" if current else "gone"
        super().__init__(f"{key} is {found}, expected revision {expected}")
        self.current = current


class Compacted(StorageError):
    def __init__(self, compact_revision: int) -> None:
        super().__init__(f"revisions up to {compact_revision} have been compacted")
        self.compact_revision = compact_revision


class FutureRevision(StorageError):
    pass


class ValueTooLarge(StorageError):
    pass


class StoreUnavailable(StorageError):
    pass


class NotReached(StoreUnavailable):
    pass
