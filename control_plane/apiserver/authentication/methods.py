"""What the ways to know a bearer token have in common, and what is remembered of those that somebody else was asked about."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from control_plane.apiserver.authentication.token import InvalidToken
from control_plane.apiserver.authentication.user import UserInfo
from kube.process.clock import Clock

REMEMBERED: Final = 8192


@dataclass(frozen=True, slots=True)
class TokenReviewResult:
    user: UserInfo
    audiences: tuple[str, ...]


class TokenMethod(Protocol):
    async def review(self, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        """Who the token stands for; None: not a token of this kind. Raises InvalidToken: one of this kind, and bad."""


def for_audiences(user: UserInfo, held: tuple[str, ...], wanted: tuple[str, ...]) -> TokenReviewResult:
    """Of a token that knows no audience: it is for the apiserver, whatever that calls itself. Raises InvalidToken."""
    shared = tuple(audience for audience in held if audience in wanted)
    if not shared:
        raise InvalidToken(f"token audiences {go_list(held)} is invalid for the target audiences {go_list(wanted)}")
    return TokenReviewResult(user, shared)


def go_list(names: Iterable[str]) -> str:
    return "[" + " ".join(f'"{name}"' for name in names) + "]"


class Remembering:
    """Answers of a method that asks somebody else, kept for a while; one question for all who come with the same token meanwhile.

    Follows apiserver's cached token authenticator: tokens themselves are not kept, errors neither, "not known" for `refused_s`.
    """

    def __init__(self, method: TokenMethod, clock: Clock, known_s: float, refused_s: float = 0.0) -> None:
        self._method = method
        self._clock = clock
        self._known_s, self._refused_s = known_s, refused_s
        self._salt = secrets.token_bytes(32)
        self._answers: OrderedDict[bytes, tuple[float, TokenReviewResult | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[TokenReviewResult | None]] = {}

    async def review(self, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        parts = self._salt, token.encode(errors="surrogateescape"), *(name.encode() for name in audiences)
        key = hashlib.sha256(b"\0".join(parts)).digest()
        held = self._answers.get(key)
        if held is not None and held[0] > self._clock.monotonic():
            return held[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._ask(key, token, audiences))
            asking.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(asking)        # who leaves does not end it for the others

    async def _ask(self, key: bytes, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        answer = await self._method.review(token, audiences)
        seconds = self._known_s if answer else self._refused_s
        if seconds > 0:
            self._answers[key] = (self._clock.monotonic() + seconds, answer)
            self._answers.move_to_end(key)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    def _forget(self, key: bytes, done: asyncio.Future[TokenReviewResult | None]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()                       # heard by whoever waits, if anybody still does
