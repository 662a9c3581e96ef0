"""Who still comes with tokens out of Secrets: the day of the last use is written on the Secret. Follows upstream's legacy token tracking.

Since when that is so is in ConfigMap kube-apiserver-legacy-service-account-token-tracking of kube-system.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Final

from control_plane.apiserver.authentication.accounts import LAST_USED_LABEL
from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.errors import StorageError
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("authentication")
TRACKING: Final = NamespacedName("kube-system", "kube-apiserver-legacy-service-account-token-tracking")


class LegacyTokenUse:
    """`used` is cheap: it stands in every such request's way."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        row = SCHEME.for_path("", "v1", "secrets")
        assert row is not None
        self._secrets = row
        self._writer = writer
        self._clock = clock
        self._told: asyncio.Queue[NamespacedName] = asyncio.Queue()
        self._waiting: set[NamespacedName] = set()

    def used(self, secret: JsonObject) -> None:
        today = self._clock.now().astimezone(UTC).date()
        # Tomorrow as well: clocks of apiservers differ.
        known = (secret["metadata"].get("labels") or {}).get(LAST_USED_LABEL)
        key = NamespacedName.of(secret)
        if known in (today.isoformat(), (today + timedelta(days=1)).isoformat()) or key in self._waiting:
            return
        self._waiting.add(key)
        self._told.put_nowait(key)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            key = await self._told.get()
            try:
                await self._note(key)
            except (ApiError, StorageError) as error:
                log.info("use of a token could not be noted", secret=str(key), error=str(error))
            finally:
                self._waiting.discard(key)

    async def _note(self, key: NamespacedName) -> None:
        today = self._clock.now().astimezone(UTC).date().isoformat()

        def with_label(held: JsonObject) -> JsonObject:
            labels = {**(held["metadata"].get("labels") or {}), LAST_USED_LABEL: today}
            return {**held, "metadata": {**held["metadata"], "labels": labels}}

        await self._writer.amend(Call(APISERVER_USER, "patch", self._secrets, key.namespace, key.name), with_label)


def tracking_config(clock: Clock) -> JsonObject:
    """Told once, when the cluster begins."""
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": TRACKING.namespace, "name": TRACKING.name},
        "data": {"since": clock.now().astimezone(UTC).date().isoformat()},
    }
