"""What a cluster left on disk: its settings, and the lock that lets one `up` or `down` work on it at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from kube.process.config import ConfigError
from launcher.cluster.layout import RUN_ROOT, STATE_ROOT, Layout
from launcher.cluster.private_file import make_private_folder
from launcher.cluster.settings import ClusterSettings


def load_settings(name: str) -> ClusterSettings:
    """Raises ConfigError when there is no such cluster, or one whose settings this version does not take."""
    file = Layout(ClusterSettings(name=name)).settings_file
    try:
        return msgspec.json.decode(file.read_bytes(), type=ClusterSettings)
    except FileNotFoundError:
        known = cluster_names()
        hint = f"there are: {', '.join(known)}" if known else "there is none; `./kubonsai up` makes one"
        raise ConfigError(f"no cluster named {name!r}; {hint}") from None
    except (msgspec.MsgspecError, ConfigError) as error:
        raise ConfigError(f"{file}: {error}; `./kubonsai down --name {name}` removes that cluster") from error


def save_settings(layout: Layout) -> None:
    make_private_folder(layout.state)
    layout.settings_file.write_bytes(msgspec.json.format(msgspec.json.encode(layout.settings), indent=2))


def api_port(layout: Layout) -> int:
    """On 127.0.0.1, as long as the cluster has a folder; 0: none yet."""
    try:
        return int((layout.state / "api-port").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def down_first(name: str) -> str:
    """What to do about a cluster that is not as wanted."""
    return f"run `./kubonsai down --name {name}` first, or choose another --name"


def cluster_names() -> list[str]:
    """Every cluster that left a trace on this machine, running or not."""
    folders = (STATE_ROOT / "clusters", RUN_ROOT)
    return sorted({entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir() if entry.is_dir()})


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Waits until no other `up` or `down` works on the cluster. The state folder itself is the lock: nothing is left behind."""
    with locked_folder(layout.state, make_private_folder):
        yield


@contextlib.contextmanager
def locked_folder(folder: Path, make: Callable[[Path], None]) -> Iterator[None]:
    """The folder, which whoever holds the lock may remove, is made and locked."""
    while True:
        make(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == folder.stat().st_ino:
                break
        os.close(descriptor)      # a `down` removed the folder while we waited
    try:
        yield
    finally:
        os.close(descriptor)
