"""Files of a volume that change together, as pkg/volume/util/atomic_writer writes them.

    volume/..2026_11_20_12_00_00.123456789/    the files
    volume/..data -> ..2026_11_20_...          renamed over its predecessor: the one moment of change
    volume/key -> ..data/key                   what the container sees
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

DATA = "..data"


class FileContent(NamedTuple):
    data: bytes
    mode: int = 0o644
    uid: int | None = None
    gid: int | None = None


def write_payload(volume: Path, payload: Mapping[str, FileContent], *, gid: int | None = None) -> bool:
    """Makes the volume hold exactly these files (keys: relative paths). False if it did already. Raises OSError, ValueError for a path."""
    for name in payload:
        _check_path(name)
    volume.mkdir(parents=True, exist_ok=True)
    current = _current(volume)
    if current is not None and _holds(current, payload):
        return False
    stamp = datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.") + secrets.token_hex(5)
    fresh = volume / stamp
    fresh.mkdir(mode=0o755)
    try:
        for name, content in payload.items():
            _write_file(fresh / name, content, gid)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)      # or every retry would leave one more
        raise
    link = volume / f"{DATA}_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(stamp)
    link.rename(volume / DATA)
    _link_names(volume, {Path(name).parts[0] for name in payload})
    if current is not None:
        shutil.rmtree(current, ignore_errors=True)
    return True


def _write_file(path: Path, content: FileContent, gid: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.data)
    os.chmod(path, content.mode | (0o040 if gid is not None else 0))
    if content.uid is not None or content.gid is not None or gid is not None:
        os.chown(path, content.uid if content.uid is not None else -1, content.gid if content.gid is not None else gid or -1)


def _check_path(name: str) -> None:
    """The apiserver has checked it too; but what is written here is written as root."""
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise ValueError(f"invalid path {name!r}: must be relative, must not contain '..' nor start with it")


def _current(volume: Path) -> Path | None:
    try:
        return volume / os.readlink(volume / DATA)
    except OSError:
        return None


def _holds(directory: Path, payload: Mapping[str, FileContent]) -> bool:
    held = {str(Path(base, name).relative_to(directory)) for base, _, names in os.walk(directory) for name in names}
    if held != {str(Path(name)) for name in payload}:
        return False
    return all((directory / name).read_bytes() == content.data for name, content in payload.items())


def _link_names(volume: Path, names: set[str]) -> None:
    for name in names:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"{DATA}/{name}")
    for entry in volume.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
