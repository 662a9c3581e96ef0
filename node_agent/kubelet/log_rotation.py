"""Keeps container logs small. Follows pkg/kubelet/logs: N.log is renamed to N.log.TIME, older ones are compressed, the oldest go.

The newest renamed file stays as it is until the next turn, so that its writer and its readers come to its end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from kube.process.clock import Clock
from kube.process.log import get_logger
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.log_links import remove_dead_links
from node_agent.kubelet.seams import PodRuntime

COMPRESSED, UNFINISHED = ".gz", ".tmp"
_LINKS_EVERY = 6                # turns: once a minute
log = get_logger("logs")


async def rotate_logs(config: KubeletConfig, runtime: PodRuntime, clock: Clock) -> None:
    """For as long as the kubelet runs."""
    turn = 0
    while True:
        await asyncio.sleep(config.container_log_monitor_s)
        if (turn := turn + 1) % _LINKS_EVERY == 0:
            try:
                remove_dead_links(Path(config.root_dir) / "logs")
            except OSError as error:
                log.warning("dead links to logs not removed", error=str(error))
        for record in runtime.containers():
            if not record.running:
                continue
            path, reopen = Path(record.config.log_path), partial(runtime.reopen_log, record.id)
            try:
                if not path.exists():
                    reopen()
                elif path.stat().st_size >= config.container_log_max_bytes:
                    await rotate(path, clock.now(), config.container_log_max_files, reopen)
            except OSError as error:
                log.warning("log not rotated", container=record.name, error=str(error))


async def rotate(path: Path, now: datetime, max_files: int, reopen: Callable[[], None]) -> None:
    """Leaves at most `max_files` files, with the one being written. `reopen` tells the writer to make a new one. Raises OSError."""
    for old in _keep(path, max(max_files - 2, 0)):
        if not old.name.endswith(COMPRESSED):
            await asyncio.to_thread(_compress, old)
    renamed = path.with_name(f"{path.name}.{now:%Y%m%d-%H%M%S}")
    path.rename(renamed)
    try:
        reopen()
    except OSError:
        renamed.rename(path)
        raise


def _keep(path: Path, count: int) -> list[Path]:
    """The newest so many of the renamed files; the others, and what an interrupted turn has left, are removed."""
    names = sorted(entry.name for entry in path.parent.iterdir() if entry.name.startswith(f"{path.name}."))
    used = [name for name in names if not name.endswith(UNFINISHED) and name + COMPRESSED not in names]
    kept = used[max(len(used) - count, 0) :]
    for name in set(names) - set(kept):
        path.with_name(name).unlink(missing_ok=True)
    return [path.with_name(name) for name in kept]


def _compress(path: Path) -> None:
    import gzip  # lazily: most nodes never rotate a log
    import shutil

    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with path.open("rb") as source, unfinished.open("wb") as target:
            os.fchmod(target.fileno(), path.stat().st_mode & 0o777)
            with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=6) as packed:
                shutil.copyfileobj(source, packed, 256 * 1024)
        unfinished.rename(path.with_name(path.name + COMPRESSED))
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    path.unlink()
