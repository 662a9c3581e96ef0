"""Priority levels: seats of their own, seats borrowed from those who lend, queues for who finds none. Follows util/flowcontrol/fairqueuing.

Fairness is by turns: queues of a level are served one after the other, whatever the length of their requests (upstream weighs it). What a
level lends it gets back as requests end; no request is stopped for it.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from kube.apimachinery.meta import JsonObject


class Full(Exception):
    """No seat, and no place to wait for one."""


class Level:
    """`seats`: None for an exempt level, which knows no limit. `kept`: of its seats, those that it does not lend."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.uid = ""
        self.shares = 0
        self.seats: int | None = 0
        self.kept = 0
        self.most = 0                   # with what it may borrow
        self.executing = 0
        self.waiting = 0
        self._lent_percent = 0
        self._borrows_percent: int | None = None
        self._queues, self._hand, self._length = 0, 0, 0
        self._lines: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()      # those with somebody in them, in the order of turns

    def configure(self, obj: JsonObject) -> None:
        self.uid = obj["metadata"].get("uid") or ""
        spec = obj.get("spec") or {}
        limited: dict[str, Any] = spec.get("limited") or {}
        self.seats = None if spec.get("type") == "Exempt" else 0
        shares = limited.get("nominalConcurrencyShares")
        self.shares = 0 if self.seats is None else 30 if shares is None else shares
        self._lent_percent = limited.get("lendablePercent") or 0
        self._borrows_percent = limited.get("borrowingLimitPercent")
        response = limited.get("limitResponse") or {}
        queuing = (response.get("queuing") or {}) if response.get("type") == "Queue" else {}
        self._queues = queuing.get("queues") or 0
        self._hand = min(queuing.get("handSize") or 1, self._queues or 1)
        self._length = queuing.get("queueLengthLimit") or 0

    def share_out(self, seats: int) -> None:
        """`seats`: its part of the server's."""
        if self.seats is None:
            return
        self.seats = seats
        self.kept = seats - seats * self._lent_percent // 100
        borrows = self._borrows_percent
        self.most = 1 << 30 if borrows is None else seats + seats * borrows // 100

    async def wait(self, flow: str) -> None:
        """Returns when `admit_next` lets the request in; then it is counted. Raises Full."""
        line = self._line(flow)
        if line is None:
            raise Full
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._lines.setdefault(line, deque())
        queue.append(ticket)
        self.waiting += 1
        try:
            await ticket
        except BaseException:
            if ticket.done() and not ticket.cancelled():
                self.executing -= 1      # let in, and gone at the same moment
            elif ticket in queue:
                self.waiting -= 1
                queue.remove(ticket)
                if not queue and self._lines.get(line) is queue:
                    del self._lines[line]
            raise

    def admit_next(self) -> None:
        """The one whose turn it is, or nobody, if that one has just gone; somebody must be waiting."""
        line, queue = next(iter(self._lines.items()))
        ticket = queue.popleft()
        self._lines.move_to_end(line)
        if not queue:
            del self._lines[line]
        self.waiting -= 1
        if not ticket.done():
            self.executing += 1
            ticket.set_result(None)

    def _line(self, flow: str) -> int | None:
        """Of the flow's hand of queues the shortest: few flows share all of theirs with a greedy one."""
        if not self._queues:
            return None
        hand = random.Random(flow).sample(range(self._queues), self._hand)
        line = min(hand, key=lambda number: len(self._lines.get(number, ())))
        return line if len(self._lines.get(line, ())) < self._length else None


def share_out(levels: Iterable[Level], total: int) -> None:
    """The server's seats by shares, each level's rounded up."""
    limited = [level for level in levels if level.seats is not None]
    shares = sum(level.shares for level in limited)
    for level in limited:
        level.share_out(math.ceil(total * level.shares / shares) if shares else 0)
