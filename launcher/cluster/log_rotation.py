"""The components' logs are cut when they are large: NAME.log is copied to NAME.log.1 and emptied, older copies move up.

Copied and not renamed, since the processes keep their file open; they append, so an emptied file is simply written from its beginning.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

from kube.process.log import get_logger

MAX_BYTES: Final = 10 * 1024 * 1024      # kubelet's containerLogMaxSize
KEPT: Final = 3
PERIOD_S: Final = 30.0

log = get_logger("log-rotation")


async def keep_logs_short(folder: Path) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(PERIOD_S)
        await asyncio.to_thread(rotate_large_logs, folder)


def rotate_large_logs(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    for file in sorted(folder.glob("*.log")):
        try:
            if file.stat().st_size > max_bytes:
                _rotate(file)
        except OSError as error:
            log.warning("log not rotated", file=file, error=error)


def _rotate(file: Path) -> None:
    copies = [file.with_name(f"{file.name}.{number}") for number in range(1, KEPT + 1)]
    for older, newer in zip(reversed(copies), [*reversed(copies[:-1])], strict=False):
        if newer.exists():
            newer.replace(older)
    with file.open("r+b") as source, copies[0].open("wb") as target:
        os.fchmod(target.fileno(), 0o640)
        shutil.copyfileobj(source, target)      # to the end as it is now: what comes in these milliseconds is lost
        source.truncate(0)
