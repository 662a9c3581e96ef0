"""Credentials -> UserInfo."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.apiserver.authentication.certificate import CertificateSubject
from control_plane.apiserver.authentication.token import TokenAuthority
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.storage.watch_cache import WatchCache


@dataclass(frozen=True, slots=True)
class RequestCredentials:
    certificate: CertificateSubject | None = None
    token: str | None = None               # what follows "Bearer " in the Authorization header


@dataclass(frozen=True, slots=True)
class TokenReviewResult:
    user: UserInfo
    audiences: tuple[str, ...]


class Authenticator:
    def __init__(self, tokens: TokenAuthority, cache: WatchCache, *, anonymous: bool = True) -> None:
        raise NotImplementedError

    async def authenticate(self, credentials: RequestCredentials) -> UserInfo:
        """Raises errors.Unauthorized."""
        raise NotImplementedError

    async def review_token(self, token: str, audiences: tuple[str, ...] = ()) -> TokenReviewResult:
        """For TokenReview. Raises errors.Unauthorized; its message is the review's `status.error`."""
        raise NotImplementedError
