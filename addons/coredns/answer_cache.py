"""Packed answers by question: the server's fast path.

An answer is kept as the bytes behind the question. A hit is sent as

    the query's id · stored flags and counts · the query's own question (so its letters keep their case) · stored records

because the records point back at the question for their names. Addresses of one name are equally long, so turning them (loadbalance)
is one slice of the run written twice. Answers of the cluster's own zones are valid until what they came from changes: each carries
tags, and the watch drops all answers of a tag. Others carry a lifetime, and their TTLs count down once a second.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable
from typing import Final

from addons.coredns.message import AAAA, A, Reply
from addons.coredns.metrics import Cell
from addons.coredns.wire import Frame, record_spans

MAX_ENTRIES: Final = 10_000


class Answer:
    """One packed answer."""

    __slots__ = (
        "_age",
        "_body",
        "_born",
        "_counts_down",
        "_head",
        "_ring",
        "_ring_at",
        "_span",
        "_tail",
        "_ttls",
        "_turn",
        "_width",
        "cell",
        "expires",
        "key",
        "tags",
    )

    def __init__(self, key: bytes, packed: bytes, question_end: int, reply: Reply, now: float, cell: Cell) -> None:
        self.key = key
        self.tags = reply.tags
        self.cell = cell
        self.expires = now + reply.lifetime_s if reply.lifetime_s is not None else float("inf")
        self._born = now
        self._counts_down = reply.lifetime_s is not None
        self._age = 0
        spans = record_spans(packed, question_end)
        self._body = bytearray(packed[question_end:])
        self._ttls = [(at := span.ttl_at - question_end, struct.unpack_from("!I", self._body, at)[0]) for span in spans]
        run = _address_run([(span.start, span.end, span.rtype) for span in spans if span.section == 0]) if reply.rotate else []
        self._width = run[0][1] - run[0][0] if run else 0
        self._ring_at = run[0][0] - question_end if run else 0
        self._span = self._width * len(run)
        self._turn = 0
        self._head = packed[2:12]
        self._ring = self._tail = b""
        self._slice()

    def respond(self, query: bytes, question_end: int, now: float) -> bytes:
        if self._counts_down and (age := int(now - self._born)) != self._age:
            self._grow_old(age)
        if self._span:
            turn = self._turn
            self._turn = turn + self._width if turn + self._width < self._span else 0
            body = self._ring[self._ring_at + turn: self._ring_at + turn + self._span]
            return query[:2] + self._head + query[12:question_end] + self._ring[: self._ring_at] + body + self._tail
        return query[:2] + self._head + query[12:question_end] + self._tail

    def _grow_old(self, age: int) -> None:
        self._age = age
        for at, ttl in self._ttls:
            struct.pack_into("!I", self._body, at, max(0, ttl - age))
        self._slice()

    def _slice(self) -> None:
        """With a run of addresses: `_ring` is what stands before it and the run twice, `_tail` the rest. Without: all is `_tail`."""
        body = bytes(self._body)
        if self._span:
            run = body[self._ring_at: self._ring_at + self._span]
            self._ring, self._tail = body[: self._ring_at] + run + run, body[self._ring_at + self._span:]
        else:
            self._tail = body


def _address_run(answers: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """The last answers that are addresses of one length; fewer than two cannot be turned."""
    run: list[tuple[int, int]] = []
    for start, end, rtype in reversed(answers):
        if rtype not in (A, AAAA) or (run and end - start != run[0][1] - run[0][0]):
            break
        run.insert(0, (start, end))
    return run if len(run) > 1 else []


class AnswerCache:
    """Bounded: when full, the oldest answers leave first."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self._answers: dict[bytes, Answer] = {}
        self._by_tag: dict[Hashable, set[bytes]] = {}
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._answers)

    @staticmethod
    def key(query: bytes, frame: Frame, limit: int) -> bytes:
        """Name in lower case, type and class, the client's flags, DO, EDNS and the size class."""
        end = frame.question_end
        bits = (frame.dnssec_ok << 1) | frame.edns
        return query[12: end - 4].lower() + query[end - 4: end] + query[2:4] + bytes((bits, limit >> 8))

    def get(self, key: bytes, now: float) -> Answer | None:
        answer = self._answers.get(key)
        if answer is not None and answer.expires > now:
            self.hits += 1
            return answer
        self.misses += 1
        if answer is not None:
            self._remove(answer)
        return None

    def put(self, answer: Answer) -> None:
        if (old := self._answers.get(answer.key)) is not None:
            self._remove(old)
        while len(self._answers) >= self._max_entries:
            self._remove(next(iter(self._answers.values())))
        self._answers[answer.key] = answer
        for tag in answer.tags:
            self._by_tag.setdefault(tag, set()).add(answer.key)

    def drop(self, tag: Hashable) -> None:
        for key in [*self._by_tag.get(tag, ())]:
            self._remove(self._answers[key])

    def clear(self) -> None:
        self._answers.clear()
        self._by_tag.clear()

    def _remove(self, answer: Answer) -> None:
        del self._answers[answer.key]
        for tag in answer.tags:
            keys = self._by_tag[tag]
            keys.discard(answer.key)
            if not keys:
                del self._by_tag[tag]
