"""Memory as a volume: a tmpfs that swaps nothing out where the kernel can promise it (6.4 on), and no larger than the Pod may be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from node_agent.runtime.syscalls import mount


def mount_tmpfs(path: Path, *, size: int, gid: int | None, mode: int = 0o1777) -> None:
    """Made and mounted, unless it is. `size` in bytes, 0: what the kernel gives (half of the memory). Raises OSError."""
    if os.path.ismount(path):
        return
    path.mkdir(parents=True, exist_ok=True)
    options = [f"mode={mode | (0o2000 if gid is not None else 0):o}"]     # at once: there is no moment in which it has another
    if size:
        options.append(f"size={size}")
    if gid is not None:
        options.append(f"gid={gid}")
    try:
        mount("tmpfs", str(path), "tmpfs", 0, ",".join([*options, "noswap"]))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise
        mount("tmpfs", str(path), "tmpfs", 0, ",".join(options))
