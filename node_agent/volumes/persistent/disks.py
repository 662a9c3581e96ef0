"""Formats, mounts and grows block devices, Blocks: for threads. Follows k8s.io/mount-utils."""

from __future__ import annotations

import subprocess

TIMEOUT_S = 120.0


class DiskError(OSError):
    """A command failed; the message holds what it said."""


def run(*command: str, good: tuple[int, ...] = (0,)) -> str:
    """Raises DiskError unless the exit status is `good`."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise DiskError(f'exec: "{command[0]}": executable file not found in $PATH') from error
    except subprocess.TimeoutExpired as error:
        raise DiskError(f"{command[0]}: no end after {TIMEOUT_S:.0f} s") from error
    if done.returncode not in good:
        raise DiskError(f"{command[0]} failed: exit status {done.returncode}, output: {(done.stdout + done.stderr).strip()}")
    return done.stdout.strip()


def mount(source: str, target: str, fs_type: str, options: tuple[str, ...] = ()) -> None:
    """By mount(8), which knows the helpers of network file systems."""
    listed = ("-o", ",".join(options)) if options else ()
    try:
        run("mount", "-t", fs_type, *listed, source, target)
    except DiskError as error:
        arguments = " ".join(("-t", fs_type, *listed, source, target))
        raise DiskError(f"mount failed: {error}\nMounting command: mount\nMounting arguments: {arguments}") from error


def file_system_of(device: str) -> str:
    """ "" for none. Raises DiskError for a device that cannot be read."""
    return run("blkid", "-p", "-s", "TYPE", "-o", "value", device, good=(0, 2))      # 2: it knows nothing of it


def format_if_empty(device: str, fs_type: str) -> str:
    """Returns the file system that is there then. What holds another one is left alone, and refused."""
    held = file_system_of(device)
    if held == fs_type:
        return held
    if held:
        raise DiskError(f"failed to mount the volume as {fs_type!r}, it already contains {held}. Mount error: wrong fs type")
    force = ("-F", "-m0") if fs_type.startswith("ext") else ("-f",)
    run(f"mkfs.{fs_type}", *(("-q", *force) if fs_type.startswith("ext") else force), device)
    return fs_type


class NotWhileMountedError(DiskError):
    """The kernel does not let this process grow a mounted file system (ext4 wants CAP_SYS_RESOURCE): it has to be done before a mount."""


def grow_unmounted(device: str) -> None:
    """Lets an ext file system that nobody has mounted fill its device, or its image; others grow when they are mounted."""
    if not file_system_of(device).startswith("ext"):
        return
    run("e2fsck", "-f", "-p", device, good=(0, 1))      # 1: it mended something
    run("resize2fs", device)


def grow(device: str, path: str) -> None:
    """Lets the mounted file system fill its device. Raises NotWhileMountedError."""
    fs_type = file_system_of(device)
    if fs_type.startswith("ext"):
        try:
            run("resize2fs", device)
        except DiskError as error:
            if "Permission denied to resize" in str(error):
                text = "the kernel refuses to grow a mounted file system here; it grows when its Pod starts anew"
                raise NotWhileMountedError(text) from error
            raise
    elif fs_type == "xfs":
        run("xfs_growfs", path)
    elif fs_type == "btrfs":
        run("btrfs", "filesystem", "resize", "max", path)
    else:
        raise DiskError(f"resize of format {fs_type or 'unknown'} is not supported for device {device}")
