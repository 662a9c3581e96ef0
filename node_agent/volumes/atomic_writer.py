"""Files of a volume that change together, as pkg/volume/util/atomic_writer writes them.

    volume/..2026_11_20_12_00_00.123456789/    the files
    volume/..data -> ..2026_11_20_...          renamed over its predecessor: the one moment of change
    volume/key -> ..data/key                   what the container sees

A writer that is killed leaves the volume as it was, and at most a directory that nothing leads to: the next one takes it away.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

DATA = "..data"
MAX_PATH, MAX_NAME = 4096, 255


class FileContent(NamedTuple):
    data: bytes
    mode: int = 0o644
    uid: int | None = None        # None: the kubelet's


def write_payload(volume: Path, payload: Mapping[str, FileContent], *, before_shown: Callable[[], object] | None = None) -> bool:
    """Makes the volume hold exactly these files (keys: relative paths). False if it did already.

    `before_shown` is called when the new files lie there and nobody sees them yet. Raises OSError, ValueError for a path.
    """
    payload = {_clean(name): content for name, content in payload.items()}
    volume.mkdir(parents=True, exist_ok=True)
    current = _current(volume)
    changed = current is None or not _holds(current, payload)
    if changed:
        _show(volume, _written(volume, payload, before_shown))
    _link_names(volume, payload)
    _remove_others(volume)
    return changed


def _written(volume: Path, payload: Mapping[str, FileContent], before_shown: Callable[[], object] | None) -> Path:
    fresh = volume / (datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.") + secrets.token_hex(5))
    fresh.mkdir()
    fresh.chmod(0o755)
    try:
        for name, content in payload.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.data)
            path.chmod(content.mode)          # whatever the umask is
            if content.uid is not None:
                os.chown(path, content.uid, -1)
        if before_shown is not None:
            before_shown()
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)      # or every retry would leave one more
        raise
    return fresh


def _show(volume: Path, fresh: Path) -> None:
    link = volume / f"{DATA}_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.rename(volume / DATA)


def _clean(name: str) -> str:
    """The apiserver has checked it too; but what is written here is written as root."""
    parts = name.split("/")
    if not name:
        raise ValueError(f'invalid path: must not be empty: "{name}"')
    if name.startswith("/"):
        raise ValueError(f"invalid path: must be relative path: {name}")
    if len(name) > MAX_PATH:
        raise ValueError(f"invalid path: must be less than or equal to {MAX_PATH} characters")
    if ".." in parts:
        raise ValueError(f"invalid path: must not contain '..': {name}")
    if any(len(part.encode()) > MAX_NAME for part in parts):
        raise ValueError(f"invalid path: filenames must be less than or equal to {MAX_NAME} characters")
    if parts[0].startswith(".."):
        raise ValueError(f"invalid path: must not start with '..': {name}")
    return os.path.normpath(name)


def _current(volume: Path) -> Path | None:
    try:
        return volume / os.readlink(volume / DATA)
    except OSError:
        return None


def _holds(directory: Path, payload: Mapping[str, FileContent]) -> bool:
    """Contents alone count: modes do not change while a Pod lives."""
    held = {str(Path(base, name).relative_to(directory)) for base, _, names in os.walk(directory) for name in names}
    return held == set(payload) and all((directory / name).read_bytes() == content.data for name, content in payload.items())


def _link_names(volume: Path, payload: Mapping[str, FileContent]) -> None:
    names = {Path(name).parts[0]: content.uid for name, content in payload.items()}
    for name, uid in names.items():
        link = volume / name
        if not os.path.lexists(link):         # a directory may stand there, for a mount that goes within this volume
            link.symlink_to(f"{DATA}/{name}")
            if uid is not None:
                os.lchown(link, uid, -1)
    for entry in volume.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()


def _remove_others(volume: Path) -> None:
    """The files that were shown before, and what a killed writer left."""
    shown = _current(volume)
    for entry in volume.glob("..*"):
        if entry.is_symlink() or entry == shown:
            continue
        shutil.rmtree(entry, ignore_errors=True)
