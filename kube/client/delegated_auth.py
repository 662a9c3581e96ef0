"""Who may use a component's own HTTPS port: a client certificate or a bearer token says who asks, the apiserver what they may.

Follows upstream's delegating authentication and authorization (TokenReview, SubjectAccessReview), whose answers count for ten seconds.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

from kube.api.authentication_v1 import TokenReview, TokenReviewSpec
from kube.api.authorization_v1 import (
    NonResourceAttributes,
    ResourceAttributes,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
)
from kube.apimachinery.errors import ApiError, Forbidden, InternalError, Unauthorized
from kube.client.client import Client
from kube.process.pages import PageRequest

REMEMBERED_S: Final = 10.0
REMEMBERED: Final = 1024
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Caller:
    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


class Credentials(NamedTuple):
    """What came with a request."""

    certificate: Mapping[str, Any] | None = None      # of the peer, verified by TLS, as Python's ssl tells it
    authorization: str = ""                           # the header


ANONYMOUS: Final = Caller("system:anonymous", groups=("system:unauthenticated",))


class DelegatedAuth:
    """`anonymous`: whether requests without credentials are asked about as system:anonymous, or refused at once."""

    def __init__(self, client: Client, *, anonymous: bool = True, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._anonymous = anonymous
        self._callers: _Memory[Caller | None] = _Memory(now)
        self._verdicts: _Memory[bool] = _Memory(now)

    async def caller(self, credentials: Credentials) -> Caller:
        """Raises Unauthorized, InternalError (the apiserver cannot be asked)."""
        if credentials.certificate and (found := _caller_of(credentials.certificate)):
            return found
        scheme, _, token = credentials.authorization.partition(" ")
        if scheme.lower() == "bearer" and (token := token.strip()):
            if caller := await self._caller_of_token(token):
                return caller
            raise Unauthorized("Unauthorized")
        if not self._anonymous:
            raise Unauthorized("Unauthorized")
        return ANONYMOUS

    async def may(self, caller: Caller, what: ResourceAttributes | NonResourceAttributes) -> bool:
        """Raises InternalError."""
        question = (caller, type(what), *(getattr(what, name) for name in ("verb", *_SUBJECTS[type(what)])))
        verdict = self._verdicts.get(question)
        if verdict is None:
            spec = SubjectAccessReviewSpec(
                user=caller.user, uid=caller.uid, groups=caller.groups, extra=dict(caller.extra),
                resource_attributes=what if isinstance(what, ResourceAttributes) else None,
                non_resource_attributes=what if isinstance(what, NonResourceAttributes) else None,
            )
            review = await self._ask(SubjectAccessReview(spec=spec))
            verdict = bool(review.status.allowed) and not review.status.denied
            self._verdicts.put(question, verdict)
        return verdict

    async def check(self, request: PageRequest) -> None:
        """A Guard for pages: may the caller use this very path? Raises Unauthorized, Forbidden, InternalError."""
        caller, verb = await self.caller(Credentials(request.certificate, request.authorization)), request.method.lower()
        if not await self.may(caller, NonResourceAttributes(verb=verb, path=request.path)):
            raise Forbidden(f'forbidden: User "{caller.user}" cannot {verb} path "{request.path}"')

    async def _caller_of_token(self, token: str) -> Caller | None:
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        if digest in self._callers:
            return self._callers.get(digest)
        status = (await self._ask(TokenReview(spec=TokenReviewSpec(token=token)))).status
        caller = None
        if status.authenticated and status.user is not None:
            caller = Caller(status.user.username, status.user.uid, tuple(status.user.groups), dict(status.user.extra))
        self._callers.put(digest, caller)
        return caller

    async def _ask(self, review: Any) -> Any:
        try:
            return await self._client.create(review)
        except ApiError as error:
            raise InternalError(f"Internal error occurred: {review.kind} failed: {error}") from error


_SUBJECTS: Final[Mapping[type, Sequence[str]]] = {
    ResourceAttributes: ("group", "version", "resource", "subresource", "namespace", "name"), NonResourceAttributes: ("path",),
}


def _caller_of(certificate: Mapping[str, Any]) -> Caller | None:
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in pairs if key == "commonName"]
    if not names:
        return None
    groups = (value for key, value in pairs if key == "organizationName")
    return Caller(names[-1], groups=tuple(dict.fromkeys((*groups, "system:authenticated"))))


class _Memory(Generic[V]):
    """Answers by question, each for a while; the oldest go when there are too many."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._held: dict[Hashable, tuple[float, V]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held and self._held[key][0] > self._now()

    def get(self, key: Hashable) -> V | None:
        return self._held[key][1] if key in self else None

    def put(self, key: Hashable, value: V) -> None:
        self._held.pop(key, None)
        self._held[key] = self._now() + REMEMBERED_S, value
        if len(self._held) > REMEMBERED:
            del self._held[next(iter(self._held))]
