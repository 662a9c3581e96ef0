"""pulled.json: which images were pulled, and with whose credentials. Follows the kubelet's ImagePulledRecord (KEP-2535).

An image without a record was loaded by hand: every Pod may run it, and it is not collected as garbage while it has a name.
Only hashes of credentials are kept, and the file is root's alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from node_agent.runtime.model import RuntimeServiceError

NAME = "pulled.json"
MAX_SECRETS = 100           # per image and repository; the oldest go, and are asked for again


class PullSecretId(msgspec.Struct, frozen=True):
    """Which Secret gave a credential, and a hash of that credential."""

    uid: str
    namespace: str
    name: str
    hash: str

    def same_secret(self, other: PullSecretId) -> bool:
        return (self.uid, self.namespace, self.name) == (other.uid, other.namespace, other.name)


class PullCredential(msgspec.Struct, frozen=True):
    """A name and a password for a registry, and the Secret they are from."""

    username: str
    password: str
    secret: PullSecretId


class Access(msgspec.Struct, frozen=True):
    """Who may run an image that was pulled from one repository."""

    everyone: bool = False                          # it was had without credentials
    secrets: tuple[PullSecretId, ...] = ()

    def admits(self, secrets: Iterable[PullSecretId]) -> PullSecretId | None:
        """The first of a Pod's that is known: by what is in it, or by its name though its content has changed."""
        for secret in secrets:
            for known in self.secrets:
                if secret.hash == known.hash or secret.same_secret(known):
                    return secret
        return None

    def with_secret(self, secret: PullSecretId) -> Access:
        others = tuple(known for known in self.secrets if not known.same_secret(secret))
        return Access(self.everyone, (*others, secret)[-MAX_SECRETS:])


Records = dict[str, dict[str, Access]]              # by image id, by repository: docker.io/library/app


class PullRecords:
    def __init__(self, images_dir: Path) -> None:
        self._file = images_dir / NAME
        self._stamp: tuple[int, int, int] | None = None
        self._records: Records = {}

    def read(self) -> Records:
        """Raises RuntimeServiceError."""
        try:
            with self._file.open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                if stamp != self._stamp:
                    self._records, self._stamp = msgspec.json.decode(file.read(), type=Records), stamp
        except FileNotFoundError:
            self._stamp, self._records = None, {}
        except (OSError, msgspec.MsgspecError) as error:
            raise RuntimeServiceError(f"{self._file} cannot be read: {error}") from error
        return self._records

    def note(self, image_id: str, repository: str, secret: PullSecretId | None) -> None:
        """It was had from there with that credential; None: without any. The caller holds the store's lock."""
        records = {key: dict(value) for key, value in self.read().items()}
        held = records.setdefault(image_id, {}).get(repository, Access())
        records[image_id][repository] = Access(everyone=True) if secret is None or held.everyone else held.with_secret(secret)
        if records != self._records:
            self._write(records)

    def forget(self, image_ids: Iterable[str]) -> None:
        """They are gone, or were loaded by hand. The caller holds the store's lock."""
        gone = set(image_ids)
        records = {key: value for key, value in self.read().items() if key not in gone}
        if len(records) != len(self._records):
            self._write(records)

    def _write(self, records: Records) -> None:
        temporary = self._file.with_name(f".{NAME}.{os.getpid()}")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(records))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._file)
        finally:
            temporary.unlink(missing_ok=True)
