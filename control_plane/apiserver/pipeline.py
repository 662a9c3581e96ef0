"""What every request passes, whichever door it came through, before anything is read or written for it.

    authentication -> impersonation -> [audit: observers.py] -> flow control -> authorization -> the verb
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from control_plane.apiserver.authentication.authenticator import Authenticator, RequestCredentials
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer, forbidden_error
from control_plane.apiserver.flow.control import FlowControl
from control_plane.apiserver.flow.levels import Level
from control_plane.apiserver.impersonation import impersonated
from control_plane.apiserver.observers import RequestObserver
from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.errors import ApiError
from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.labels import SelectorError, parse_selector

if TYPE_CHECKING:
    from control_plane.apiserver.audit.log import Trail

S = TypeVar("S")


@dataclass(slots=True)
class Admitted:
    """A request that may go on. The door sets `code` for the observers."""

    user: UserInfo
    code: int = 200


class Passage:
    """One request on its way. Written out, since a generator-based context costs more than all the rest of the pipeline."""

    __slots__ = ("_pipeline", "admitted", "began", "credentials", "impersonation", "info", "place", "stays", "trail")

    def __init__(
        self, pipeline: Pipeline, info: RequestInfo, credentials: RequestCredentials, impersonation: Iterable[tuple[str, str]],
        trail: Trail | None,
    ) -> None:
        self.trail = trail
        self._pipeline = pipeline
        self.info = info
        self.credentials = credentials
        self.impersonation = impersonation
        self.began = time.monotonic()
        self.place: Level | None = None
        self.admitted: Admitted | None = None
        self.stays = False

    async def __aenter__(self) -> Admitted:
        try:
            return await self._pipeline.admit(self)
        except BaseException as error:
            self._pipeline.complete(self, error)
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pipeline.complete(self, error)


class Pipeline:
    def __init__(
        self, authenticator: Authenticator, authorizer: Authorizer, flow: FlowControl, observers: Sequence[RequestObserver]
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._flow = flow
        self._observers = observers

    def enter(
        self, info: RequestInfo, credentials: RequestCredentials, impersonation: Iterable[tuple[str, str]] = (), trail: Trail | None = None
    ) -> Passage:
        """A context that is open while the request is worked on. Entering it raises the ApiError that refuses the request."""
        return Passage(self, info, credentials, impersonation, trail)

    async def admit(self, passage: Passage) -> Admitted:
        user = await self._authenticator.authenticate(passage.credentials)
        trail = passage.trail
        if trail is not None:
            trail.received(attributes_of(passage.info, user))
        if passage.impersonation:
            user = await impersonated(user, passage.impersonation, self._authorizer, attributes_of(passage.info, user))
            if trail is not None:
                trail.acts_as(user)
        passage.admitted = Admitted(user)
        if self._flow.takes_place(passage.info):
            passage.place = await self._flow.enter(passage.info, user)
        attributes = attributes_of(passage.info, user)
        authorizer = self._authorizer
        decision = await authorizer.decide(attributes) if authorizer.asks_others else authorizer.authorize(attributes)
        if not decision.allowed:
            passage.info.annotations |= {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": decision.reason}
            raise forbidden_error(attributes, decision.reason)
        if trail is not None:
            if decision.reason:
                passage.info.annotations["authorization.k8s.io/reason"] = decision.reason
            passage.info.annotations["authorization.k8s.io/decision"] = "allow"
            if passage.info.long_running:
                trail.started()
        if passage.info.long_running:
            passage.stays = True
            for observer in self._observers:
                observer.stays(passage.info, 1)
        return passage.admitted

    def complete(self, passage: Passage, error: BaseException | None) -> None:
        if passage.place is not None:
            self._flow.leave(passage.info, passage.place)
        code, user = 500, None
        if passage.admitted is not None:
            code, user = passage.admitted.code, passage.admitted.user
        if isinstance(error, ApiError):
            code = error.code
        elif error is not None and not isinstance(error, asyncio.CancelledError):      # cancelled: the client left
            code = 500
        duration_s = time.monotonic() - passage.began
        for observer in self._observers:
            if passage.stays:
                observer.stays(passage.info, -1)
            observer.completed(passage.info, user, code, duration_s)


def attributes_of(info: RequestInfo, user: UserInfo) -> Attributes:
    """What is asked of the authorizers."""
    return Attributes(
        user=user, verb=info.verb, group=info.group, version=info.version, resource=info.resource,
        subresource=info.subresource, namespace=info.namespace, name=info.name, path=info.path, is_resource=info.is_resource,
        field_selector=_parsed(parse_field_selector, info.field_selector),
        label_selector=_parsed(parse_selector, info.label_selector),
    )


def _parsed(parse: Callable[[str], S], text: str) -> S | None:
    """One that cannot be understood is as if it were not there: it could only have narrowed what is asked for. The verb refuses it."""
    try:
        return parse(text) if text else None
    except SelectorError:
        return None
