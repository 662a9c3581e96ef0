"""client-go's work queue: each key is in work at most once, and a key that changed meanwhile comes again.

A key lives in up to two sets: *dirty* (must be worked on) and *processing* (is being worked on). `add` puts it into dirty,
and into the queue unless it is processing; `done` takes it out of processing and back into the queue if it became dirty
again. So ten events for one object while it waits cost one reconcile, and no two workers ever hold the same key.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from prometheus_client import Counter, Gauge

K = TypeVar("K", bound=Hashable)

DEPTH: Final = Gauge("workqueue_depth", "Current depth of workqueue", ["name"])
ADDS: Final = Counter("workqueue_adds", "Total number of adds handled by workqueue", ["name"])
RETRIES: Final = Counter("workqueue_retries", "Total number of retries handled by workqueue", ["name"])


def retry_delay_s(failures: int, base_s: float = 0.005, cap_s: float = 1000.0) -> float:
    """Wait before the next try: doubles per failure, capped. Defaults: client-go's per-item controller rate limiter."""
    return min(cap_s, base_s * 2.0 ** min(failures, 30))


class TokenBucket:
    """Spaces calls out: `burst` at once, then `rate` per second. `reserve` says how long to wait, and counts the call."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._updated: float | None = None

    def _refill(self, now: float) -> None:
        if self._updated is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now

    def reserve(self, now: float) -> float:
        self._refill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def try_take(self, now: float) -> bool:
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class ShutDown(Exception):
    """The queue was shut down and is empty."""


class WorkQueue(Generic[K]):
    """Of one event loop: not for other threads. Keys are handed out in the order in which they became dirty."""

    def __init__(self, name: str, *, retry_base_s: float = 0.005, retry_cap_s: float = 1000.0) -> None:
        self.name = name
        self._queue: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}              # of `_later`: the only instant that counts for a key
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._failures: dict[K, int] = {}
        self._overall = TokenBucket(rate=10, burst=100)
        self._retry_base_s = retry_base_s
        self._retry_cap_s = retry_cap_s
        self._closed = False
        self._depth = DEPTH.labels(name)
        self._adds = ADDS.labels(name)
        self._retries = RETRIES.labels(name)

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, key: K) -> None:
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        self._adds.inc()
        if key not in self._processing:
            self._push(key)

    def add_after(self, key: K, delay_s: float) -> None:
        """Of several pending instants for one key the earliest holds."""
        if delay_s <= 0:
            self.add(key)
            return
        if self._closed:
            return
        due = time.monotonic() + delay_s
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._later, (due, next(self._order), key))
        self._arm()

    def add_rate_limited(self, key: K) -> None:
        """Again after this key's backoff, or later when very many keys fail at once."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._retries.inc()
        delay_s = retry_delay_s(failures, self._retry_base_s, self._retry_cap_s)
        self.add_after(key, max(delay_s, self._overall.reserve(time.monotonic())))

    def forget(self, key: K) -> None:
        """Its next failure starts the backoff anew."""
        self._failures.pop(key, None)

    def num_requeues(self, key: K) -> int:
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key, which is the caller's alone until `done`. Raises ShutDown."""
        while not self._queue:
            if self._closed:
                raise ShutDown
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()        # it was our turn: pass it on
                raise
        key = self._queue.popleft()
        self._depth.set(len(self._queue))
        self._processing.add(key)
        self._dirty.discard(key)
        return key

    def done(self, key: K) -> None:
        self._processing.discard(key)
        if key in self._dirty:
            self._push(key)

    def shut_down(self) -> None:
        """No more additions; `get` hands out what is queued, then raises ShutDown."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def _push(self, key: K) -> None:
        self._queue.append(key)
        self._depth.set(len(self._queue))
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._later:
            delay_s = max(0.0, self._later[0][0] - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._release)

    def _release(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._arm()
