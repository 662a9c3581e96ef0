"""Events: what `kubectl describe` shows under an object. Recording never blocks and never fails; sending happens behind it.

    async with EventRecorder(client, "kubelet", host="node1") as events:
        events.event(pod, "Normal", "Started", "Started container web")
"""

from __future__ import annotations

import asyncio
import copy
import time
from types import TracebackType
from typing import Final, Literal

from kube.api.core_v1 import Event, EventSource, ObjectReference
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.event_correlator import Correlated, EventCorrelator
from kube.client.objects import ApiObject
from kube.client.transport import PatchKind
from kube.process.clock import Clock, SystemClock, to_rfc3339
from kube.process.log import get_logger

MAX_QUEUED: Final = 1000
MAX_TRIES: Final = 12
RETRY_S: Final = 10.0
FLUSH_S: Final = 1.0

log = get_logger("events")

Type = Literal["Normal", "Warning"]


def reference_to(obj: ApiObject) -> ObjectReference:
    """As upstream's reference.GetReference names an object."""
    metadata = obj.metadata
    return ObjectReference(
        api_version=obj.GVK.api_version, kind=obj.GVK.kind, namespace=metadata.namespace, name=metadata.name, uid=metadata.uid,
        resource_version=metadata.resource_version,
    )


class EventRecorder:
    """Sends while its `async with` is open; what is queued at the end gets a second to leave."""

    def __init__(self, client: Client, component: str, host: str = "", clock: Clock | None = None) -> None:
        self._client = client
        self._source = EventSource(component=component, host=host)
        self._clock: Clock = clock or SystemClock()
        self._queue: asyncio.Queue[Event] = asyncio.Queue(MAX_QUEUED)
        self._correlator = EventCorrelator()
        self._sender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> EventRecorder:
        self._sender = asyncio.create_task(self._send_all(), name="event sender")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._sender is not None
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._queue.join()
        except TimeoutError:
            log.debug("events left unsent", count=self._queue.qsize())
        finally:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    def named(self, component: str) -> EventRecorder:
        """The same recorder, its events coming from another component; open only the original."""
        other = copy.copy(self)
        other._source = EventSource(component=component, host=self._source.host)
        return other

    def event(self, about: ApiObject | ObjectReference, type_: Type, reason: str, message: str) -> None:
        """`about` may be a reference, e.g. with a fieldPath that names a container: spec.containers{web}."""
        ref = about if isinstance(about, ObjectReference) else reference_to(about)
        now = to_rfc3339(self._clock.now())
        event = Event(
            metadata=ObjectMeta(namespace=ref.namespace or "default", name=f"{ref.name}.{time.time_ns():x}"),
            involved_object=ref, reason=reason, message=message[:1024], type=type_, source=self._source,
            first_timestamp=now, last_timestamp=now, count=1,
            reporting_component=self._source.component, reporting_instance=self._source.host,
        )
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            log.warning("event dropped, queue is full", object=f"{ref.kind} {ref.namespace}/{ref.name}", reason=reason)

    async def _send_all(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                if (correlated := self._correlator.correlate(event, self._clock.now())) is not None:
                    await self._send(correlated)
            except errors.ApiError as error:
                log.warning("event rejected", object=event.involved_object and event.involved_object.name, error=str(error))
            except Exception:
                log.exception("event lost")     # one odd event must not end the sending of all others
            finally:
                self._queue.task_done()

    async def _send(self, correlated: Correlated) -> None:
        for _ in range(MAX_TRIES):
            try:
                written = await (self._patch(correlated.event) if correlated.is_update else self._client.create(correlated.event))
            except (errors.ServiceUnavailable, errors.Timeout, errors.ServerTimeout):
                await self._clock.sleep(RETRY_S)
            else:
                self._correlator.written(correlated.key, written)
                return

    async def _patch(self, event: Event) -> Event:
        change = {"count": event.count, "lastTimestamp": event.last_timestamp, "message": event.message}
        key = NamespacedName(event.metadata.namespace, event.metadata.name)
        try:
            return await self._client.patch(Event, key, change, kind=PatchKind.MERGE)
        except errors.NotFound:
            return await self._client.create(event)    # its time to live was over
