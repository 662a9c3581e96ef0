"""Trees on disk: the overlay of a container over its image's layers, and trees made of hard links."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from node_agent.runtime.mounts import bind
from node_agent.runtime.syscalls import CLONE_FS, MS_RDONLY, mount, unmount, unshare

READABLE = 0o444
MAX_OPTIONS = os.sysconf("SC_PAGE_SIZE")


def mount_overlay(layers: Iterable[str], container_dir: Path) -> str:
    """Mounts the layers (topmost first) with a writable upper below `container_dir`; returns the root. Nothing is copied."""
    rootfs, upper, work = (container_dir / name for name in ("rootfs", "upper", "work"))
    for directory in (rootfs, upper, work):
        directory.mkdir(exist_ok=True)
    if not os.path.ismount(rootfs):
        mount_layers(list(layers), rootfs, f"upperdir={upper},workdir={work}")
    return str(rootfs)


def mount_image(layers: Sequence[str], place: Path) -> None:
    """The layers as they are, read-only: what an image volume is. Idempotent."""
    place.mkdir(parents=True, exist_ok=True)
    if len(layers) == 1:
        bind(layers[0], str(place), read_only=True)
    elif not os.path.ismount(place):
        mount_layers(layers, place, "", MS_RDONLY)


def mount_layers(layers: Sequence[str], rootfs: Path, options: str, flags: int = 0) -> None:
    """mount(2) takes one page of options. Where so many paths do not fit, a thread with a working directory of its own gives names only."""
    options = f",{options}" if options else ""
    data = f"lowerdir={':'.join(layers)}{options}"
    if len(data) < MAX_OPTIONS:
        mount("overlay", str(rootfs), "overlay", flags, data)
        return
    (folder,) = {os.path.dirname(layer) for layer in layers}
    names = ":".join(os.path.basename(layer) for layer in layers)

    def mount_here() -> None:
        unshare(CLONE_FS)
        os.chdir(folder)
        mount("overlay", str(rootfs), "overlay", flags, f"lowerdir={names}{options}")

    with ThreadPoolExecutor(1) as thread:
        thread.submit(mount_here).result()


def discard_overlay(container_dir: Path) -> None:
    unmount(str(container_dir / "rootfs"))
    shutil.rmtree(container_dir, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where both lie on one filesystem, else a copy. Links are followed; an existing target stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.stat().st_mode & READABLE == READABLE:
        with suppress(OSError):
            os.link(source.resolve(), target)
    if not target.exists():
        copy_readable(source, target)


def copy_readable(source: Path, target: Path) -> None:
    """A copy that everybody may read, whatever the umask of whoever made the source: not every container runs as root."""
    shutil.copy2(source, target)
    target.chmod(source.stat().st_mode & 0o777 | READABLE)


def link_tree(source: Path, target: Path, *, skip: frozenset[str] = frozenset()) -> None:
    """The tree below `source` as hard links; directories and files whose name is in `skip` are left out."""
    for directory, subdirectories, files in os.walk(source):
        subdirectories[:] = [name for name in subdirectories if name not in skip]
        here = target / Path(directory).relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        for name in files:
            if name not in skip:
                link_or_copy(Path(directory, name), here / name)
