"""Containers in a user namespace of their own (KEP-127): what lies on disk as root's is shown to them as their root's.

Nothing is copied or chowned: mounts are cloned with a mapping of ids (mount_setattr(2), MOUNT_ATTR_IDMAP), layers of the image as well as
volumes. Only what the container writes into its root filesystem lies on disk under its own range of ids.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from node_agent.runtime.layers import mount_layers
from node_agent.runtime.model import Mount
from node_agent.runtime.syscalls import attach_mount, clone_mount, map_ids, unmount

RANGE = 65536                                   # ids of one Pod
OPEN_ROOTS = Path("/run/kubonsai-roots")        # everybody may pass, nobody may look around


def user_namespaces_here() -> bool:
    """Whether this machine lets us make any."""
    try:
        return int(Path("/proc/sys/user/max_user_namespaces").read_text()) > 0
    except (OSError, ValueError):
        return False


def open_root(run_dir: Path, container_id: str) -> Path:
    """Where the root of such a container stands: runc enters the namespace before it looks for the root."""
    return OPEN_ROOTS / f"{_mark(run_dir)}-{container_id[:16]}"


def remove_open_roots(run_dir: Path) -> None:
    """What a node that is no more left there; its mounts went with it."""
    for place in OPEN_ROOTS.glob(f"{_mark(run_dir)}-*"):
        unmount(str(place))
        with suppress(OSError):
            place.rmdir()
    with suppress(OSError):
        OPEN_ROOTS.rmdir()


def _mark(run_dir: Path) -> str:
    return f"{zlib.crc32(str(run_dir).encode()):08x}"


def attach_mapped(source: str, target: Path, user_namespace: str) -> None:
    """Mounts what stands at `source`, with all below it, at `target`, ids mapped. Raises OSError where a filesystem cannot do that."""
    tree = clone_mount(source)
    try:
        namespace = os.open(user_namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            map_ids(tree, namespace)
        finally:
            os.close(namespace)
        if os.path.isdir(source):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        attach_mount(tree, str(target))
    finally:
        os.close(tree)


def mount_mapped_overlay(layers: Iterable[str], container_dir: Path, rootfs: Path, user_namespace: str, first_id: int) -> str:
    """As layers.mount_overlay, for a container whose root is `first_id` out here. `rootfs`: a place that everybody may enter."""
    upper, work, lowers = (container_dir / name for name in ("upper", "work", "lowers"))
    OPEN_ROOTS.mkdir(mode=0o711, exist_ok=True)
    for directory in (rootfs, upper, work, lowers):
        directory.mkdir(exist_ok=True)
    os.chown(upper, first_id, first_id)
    places = [lowers / str(index) for index, _ in enumerate(layers)]
    try:
        for layer, place in zip(layers, places, strict=True):
            attach_mapped(layer, place, user_namespace)
        mount_layers([str(place) for place in places], rootfs, f"upperdir={upper},workdir={work}")
    finally:
        for place in places:                    # the overlay has its own hold on them
            unmount(str(place))
    return str(rootfs)


def mapped_mounts(mounts: Sequence[Mount], container_dir: Path, user_namespace: str) -> tuple[Mount, ...]:
    """The same mounts from places where their ids are mapped."""
    moved = []
    for index, mount in enumerate(mounts):
        place = container_dir / "mounts" / str(index)
        try:
            attach_mapped(mount.source, place, user_namespace)
        except OSError as error:
            reason = f"ids cannot be mapped for the Pod's user namespace: {error.strerror}"
            raise OSError(error.errno, reason, mount.source) from error
        moved.append(replace(mount, source=str(place)))
    return tuple(moved)


def discard_mapped(container_dir: Path, rootfs: Path) -> None:
    """Unmounts all of the above; idempotent."""
    unmount(str(rootfs))
    with suppress(FileNotFoundError):
        rootfs.rmdir()
    for folder in ("mounts", "lowers"):
        for place in (container_dir / folder).glob("*"):
            unmount(str(place))
