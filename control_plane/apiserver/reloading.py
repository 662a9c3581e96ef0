"""Configuration files that are read again when they change: AuthenticationConfiguration, AuthorizationConfiguration, encryption.

A file that is wrong is told of in the log, and what was read before stays. Follows upstream's reload loops, which look once a minute
and listen to the file system; a look is one stat(), and we look each second.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from kube.process.config import ConfigError
from kube.process.log import get_logger

log = get_logger("configuration-files")

PERIOD_S: Final = 1.0


class Reload(NamedTuple):
    file: str
    read: Callable[[], None]      # makes it valid; raises ConfigError


class Reloading:
    def __init__(self, reloads: Sequence[Reload]) -> None:
        """Files are as they are read now, or were just before."""
        self._reloads = reloads
        self._seen = {reload.file: _digest(reload.file) for reload in reloads}

    async def run(self) -> None:
        while self._reloads:
            await asyncio.sleep(PERIOD_S)
            self.look()

    def look(self) -> None:
        for reload in self._reloads:
            digest = _digest(reload.file)
            if digest == self._seen[reload.file]:
                continue
            self._seen[reload.file] = digest
            try:
                reload.read()
            except ConfigError as error:
                log.error("cannot use the changed file, going on as before", file=reload.file, error=str(error))
            else:
                log.info("read again", file=reload.file)


def _digest(file: str) -> bytes:
    """Of the content; a file that is being replaced has none."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).digest()
    except OSError:
        return b""
