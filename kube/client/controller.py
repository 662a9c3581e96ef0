"""The runner of every controller: a queue of keys, some workers, and `reconcile(key)`.

    class ReplicaSetController(Controller[NamespacedName]):
        async def reconcile(self, key: NamespacedName) -> Result: ...

Handlers enqueue; reconcile reads caches, acts and returns. What it raises is retried with backoff.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Generic

from prometheus_client import Counter, Histogram

from kube.apimachinery import errors
from kube.client.workqueue import K, WorkQueue
from kube.process.log import get_logger

RETRY_CAP_S: Final = 30.0

RECONCILES: Final = Counter("controller_reconcile", "Reconciliations per controller and result", ["controller", "result"])
WORK_S: Final = Histogram(
    "workqueue_work_duration_seconds", "How long processing an item from workqueue takes", ["name"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a reconcile wants next: nothing, or the same key once more."""

    requeue_after_s: float | None = None


DONE: Final = Result()


class Controller(ABC, Generic[K]):
    """A subclass sets handlers in its constructor, and its informers are synced before `run` is called."""

    def __init__(self, name: str, *, workers: int = 5) -> None:
        self.name = name
        self.workers = workers
        self.queue: WorkQueue[K] = WorkQueue(name, retry_cap_s=RETRY_CAP_S)
        self.log = get_logger(name)

    @abstractmethod
    async def reconcile(self, key: K) -> Result:
        """Brings the world closer to what the object says. Idempotent."""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.workers):
                tasks.create_task(self._work(), name=f"{self.name} worker {number}")

    async def _work(self) -> None:
        work_s = WORK_S.labels(self.name)
        while True:
            key = await self.queue.get()
            started = time.perf_counter()
            try:
                await self._reconcile(key)
            finally:
                self.queue.done(key)
                work_s.observe(time.perf_counter() - started)

    async def _reconcile(self, key: K) -> None:
        try:
            result = await self.reconcile(key)
        except errors.Conflict as error:
            self.log.debug("conflict, trying again", key=str(key), error=str(error))
            self._failed(key)
        except errors.ApiError as error:
            self.log.warning("reconcile failed", key=str(key), error=str(error), reason=error.reason)
            self._failed(key)
        except Exception:
            self.log.exception("reconcile failed unexpectedly", key=str(key))
            self._failed(key)
        else:
            RECONCILES.labels(self.name, "success").inc()
            self.queue.forget(key)
            if result.requeue_after_s is not None:
                self.queue.add_after(key, result.requeue_after_s)

    def _failed(self, key: K) -> None:
        RECONCILES.labels(self.name, "error").inc()
        self.queue.add_rate_limited(key)
