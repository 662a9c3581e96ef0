"""What every request passes, whichever door it came through, before anything is read or written for it.

    authentication -> impersonation -> [audit: observers.py] -> flow control -> authorization -> the verb
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from control_plane.apiserver.authentication.authenticator import Authenticator, RequestCredentials
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer, forbidden_error
from control_plane.apiserver.flow_control import FlowControl
from control_plane.apiserver.impersonation import impersonated
from control_plane.apiserver.observers import RequestObserver
from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.errors import ApiError
from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.labels import SelectorError, parse_selector

S = TypeVar("S")


@dataclass(slots=True)
class Admitted:
    """A request that may go on. The door sets `code` for the observers."""

    user: UserInfo
    code: int = 200


class Pipeline:
    def __init__(
        self, authenticator: Authenticator, authorizer: Authorizer, flow: FlowControl, observers: Sequence[RequestObserver]
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._flow = flow
        self._observers = observers

    @asynccontextmanager
    async def enter(
        self, info: RequestInfo, credentials: RequestCredentials, impersonation: Iterable[tuple[str, str]] = ()
    ) -> AsyncIterator[Admitted]:
        """Open while the request is worked on. Raises the ApiError that refuses it."""
        began = time.monotonic()
        user, code = None, 500
        try:
            user = await self._authenticator.authenticate(credentials)
            if impersonation:
                user = impersonated(user, impersonation, self._authorizer)
            admitted = Admitted(user)
            if self._flow.exempt(info):
                self._authorize(info, user)
                yield admitted
            else:
                with self._flow.place_for(info, user.groups):
                    self._authorize(info, user)
                    yield admitted
            code = admitted.code
        except ApiError as error:
            code = error.code
            raise
        finally:
            duration_s = time.monotonic() - began
            for observer in self._observers:
                observer.completed(info, user, code, duration_s)

    def _authorize(self, info: RequestInfo, user: UserInfo) -> None:
        attributes = Attributes(
            user=user, verb=info.verb, group=info.group, version=info.version, resource=info.resource,
            subresource=info.subresource, namespace=info.namespace, name=info.name, path=info.path, is_resource=info.is_resource,
            field_selector=_parsed(parse_field_selector, info.field_selector),
            label_selector=_parsed(parse_selector, info.label_selector),
        )
        decision = self._authorizer.authorize(attributes)
        if not decision.allowed:
            raise forbidden_error(attributes, decision.reason)


def _parsed(parse: Callable[[str], S], text: str) -> S | None:
    """One that cannot be understood is as if it were not there: it could only have narrowed what is asked for. The verb refuses it."""
    try:
        return parse(text) if text else None
    except SelectorError:
        return None
