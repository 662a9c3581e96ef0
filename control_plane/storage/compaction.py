"""Lets go of old revisions: every five minutes those older than five minutes, whichever apiserver comes first.

As upstream's compactor: the key `compact_rev_key` counts the rounds. Whoever moves it from the count it saw last does the
compaction to the revision of the round before; the others only note the new count.
"""

from __future__ import annotations

from typing import Final

from control_plane.storage.errors import Compacted, StorageError
from control_plane.storage.etcd import EtcdStore
from kube.process.clock import Clock
from kube.process.log import get_logger

COMPACT_KEY: Final = "compact_rev_key"
INTERVAL_S: Final = 300.0        # upstream's --etcd-compaction-interval

log = get_logger("compaction")


class Compactor:
    def __init__(self, store: EtcdStore, clock: Clock, interval_s: float = INTERVAL_S) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._round = 0
        self._revision = 0       # as it was one interval ago

    async def run(self) -> None:
        while True:
            await self._clock.sleep(self._interval_s)
            try:
                await self.step()
            except StorageError as error:
                log.info("compaction failed, trying again later", error=str(error))

    async def step(self) -> None:
        """One round: compacts to the revision seen in the round before, if no other apiserver did."""
        mine, self._round, now = await self._store.compare_version_and_put(COMPACT_KEY, self._round, str(self._revision).encode())
        old, self._revision = self._revision, now
        if not mine or not old:
            return
        try:
            await self._store.compact(old)
        except Compacted:
            log.debug("already compacted", revision=old)
        else:
            log.info("compacted", revision=old)
