"""Keeps container logs small. Follows the kubelet's containerLogMaxSize and containerLogMaxFiles; old files are not compressed."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from kube.process.clock import Clock
from kube.process.log import get_logger
from node_agent.kubelet.seams import PodRuntime

MAX_BYTES = 10 << 20
MAX_FILES = 5                   # with the one being written
PERIOD_S = 10.0
log = get_logger("logs")


async def rotate_logs(runtime: PodRuntime, clock: Clock) -> None:
    """For as long as the kubelet runs."""
    while True:
        await asyncio.sleep(PERIOD_S)
        for record in runtime.containers():
            if not record.running:
                continue
            try:
                if rotate(Path(record.config.log_path), clock.now()):
                    runtime.reopen_log(record.id)
            except OSError as error:
                log.warning("log not rotated", container=record.name, error=str(error))


def rotate(path: Path, now: datetime, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> bool:
    """Renames a log that is too big and removes the oldest beyond the limit. True: its writer has to open a new one."""
    if path.stat().st_size <= max_bytes:
        return False
    path.rename(path.with_name(f"{path.name}.{now:%Y%m%d-%H%M%S-%f}"))
    for old in sorted(path.parent.glob(f"{path.name}.*"))[: -(max_files - 1)]:
        old.unlink(missing_ok=True)
    return True
