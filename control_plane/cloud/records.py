"""What a machine that is a container writes of itself: FOLDER/NAME.json, and a lock on that file for as long as it runs.

The lock is flock(2)'s: it belongs to the open file, so it ends with the last process that has the descriptor, however that ends, and
nobody has to tidy up. The file is locked before it gets its name: whoever finds it finds it whole and locked.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Final

import msgspec

SUFFIX: Final = ".json"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")      # a Node's


class MachineRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str                    # of its Node
    address: str
    provider_id: str
    zone: str = ""
    region: str = ""
    instance_type: str = ""


def write_record(folder: str | Path, record: MachineRecord) -> int:
    """Puts the record in place of whatever stood there. The machine counts as running while the returned descriptor, or a copy, is open.

    It is closed at exec unless it is made inheritable. Raises ValueError for a name that no Node can have, OSError.
    """
    if not _NAME.fullmatch(record.name):
        raise ValueError(f"not a machine's name: {record.name!r}")
    fresh = Path(folder) / f".{record.name}.new"
    fresh.unlink(missing_ok=True)          # of one that was killed here
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(descriptor, 0o644)       # whatever the umask is: another user reads it
        content = msgspec.json.encode(record)
        while content:
            content = content[os.write(descriptor, content):]
        os.fsync(descriptor)
        fresh.rename(fresh.with_name(f"{record.name}{SUFFIX}"))
    except BaseException:
        os.close(descriptor)
        fresh.unlink(missing_ok=True)
        raise
    return descriptor


def read_records(folder: str | Path) -> list[tuple[MachineRecord, bool]]:
    """Every record with whether its machine runs. Raises OSError, ValueError for a file that is none."""
    found = []
    for path in sorted(Path(folder).iterdir()):
        if path.suffix == SUFFIX and not path.name.startswith("."):
            try:
                found.append(_read(path))
            except FileNotFoundError:
                continue                   # taken away meanwhile
    return found


def _read(path: Path) -> tuple[MachineRecord, bool]:
    with path.open("rb") as file:
        try:
            record = msgspec.json.decode(file.read(), type=MachineRecord)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}: {error}") from error
        if record.name != path.name.removesuffix(SUFFIX):
            raise ValueError(f"{path}: is of another machine, {record.name!r}")
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)       # given up with the descriptor
        except BlockingIOError:
            return record, True
    return record, False
