"""Bearer tokens that a remote service knows: it is sent a TokenReview. Follows apiserver's webhook token authenticator."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from control_plane.apiserver.authentication.methods import TokenReviewResult, for_audiences
from control_plane.apiserver.authentication.token import InvalidToken
from control_plane.apiserver.authentication.user import UserInfo, authenticated
from control_plane.apiserver.remote import Remote, RemoteError, Threads
from kube.process.log import get_logger

log = get_logger("authentication")


class _User(msgspec.Struct):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] | None = None
    extra: dict[str, tuple[str, ...]] | None = None


class _Status(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: tuple[str, ...] | None = None
    error: str = ""


class TokenWebhook:
    """`version`: of authentication.k8s.io, "v1" or "v1beta1"."""

    def __init__(self, remote: Remote, version: str, api_audiences: tuple[str, ...], threads: Threads) -> None:
        self._remote = remote
        self._api_version = f"authentication.k8s.io/{version}"
        self._api_audiences = api_audiences
        self._threads = threads

    async def review(self, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        question = {
            "apiVersion": self._api_version, "kind": "TokenReview", "metadata": {},
            "spec": {"token": token, "audiences": list(audiences)}, "status": {"user": {}},
        }
        try:
            answer = await self._threads.run(partial(self._remote.post, question))
            status = _status(answer, self._api_version)
        except (RemoteError, msgspec.ValidationError) as error:
            log.error("webhook cannot be asked who somebody is", url=self._remote.url, error=str(error))
            raise InvalidToken(str(error)) from error
        if not status.authenticated:
            if status.error:
                raise InvalidToken(status.error)
            return None
        user = UserInfo(status.user.username, status.user.uid, status.user.groups or (), status.user.extra or {})
        try:
            return for_audiences(authenticated(user), status.audiences or self._api_audiences, audiences)
        except InvalidToken:
            return None


def _status(answer: dict[str, Any], api_version: str) -> _Status:
    if answer.get("kind") != "TokenReview" or answer.get("apiVersion") != api_version:
        raise RemoteError(f"expected {api_version}, Kind=TokenReview, got {answer.get('apiVersion')}, Kind={answer.get('kind')}")
    return msgspec.convert(answer.get("status") or {}, _Status)
