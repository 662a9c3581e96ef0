"""Credentials -> UserInfo: a client certificate, else a bearer token, else anonymous.

Bad credentials are refused even where anonymous requests are welcome, as upstream does.
"""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.apiserver.authentication.accounts import AccountLookup
from control_plane.apiserver.authentication.bootstrap_token import BootstrapTokens, is_bootstrap_token
from control_plane.apiserver.authentication.certificate import CertificateSubject
from control_plane.apiserver.authentication.token import InvalidToken, TokenAuthority
from control_plane.apiserver.authentication.user import (
    ANONYMOUS_USER,
    AUTHENTICATED_GROUP,
    SERVICE_ACCOUNTS_GROUP,
    UserInfo,
    service_account_username,
)
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import Unauthorized
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("authentication")


@dataclass(frozen=True, slots=True)
class RequestCredentials:
    certificate: CertificateSubject | None = None
    token: str | None = None               # what follows "Bearer " in the Authorization header


@dataclass(frozen=True, slots=True)
class TokenReviewResult:
    user: UserInfo
    audiences: tuple[str, ...]


class Authenticator:
    def __init__(self, tokens: TokenAuthority, cache: WatchCache, clock: Clock, *, anonymous: bool = True) -> None:
        self._tokens = tokens
        self._accounts = AccountLookup(cache, clock)
        self._bootstrap = BootstrapTokens(cache, clock)
        self._anonymous = anonymous

    async def authenticate(self, credentials: RequestCredentials) -> UserInfo:
        """Raises errors.Unauthorized."""
        if credentials.certificate is not None and credentials.certificate.common_name:
            return _user_of_certificate(credentials.certificate)
        if credentials.token:
            try:
                return (await self.review_token(credentials.token)).user
            except InvalidToken as error:
                log.info("token refused", error=str(error))
                raise Unauthorized("Unauthorized") from error
        if self._anonymous:
            return ANONYMOUS_USER
        raise Unauthorized("Unauthorized")

    async def review_token(self, token: str, audiences: tuple[str, ...] = ()) -> TokenReviewResult:
        """For TokenReview. Raises InvalidToken; its message is the review's `status.error`. No audiences: the apiserver's own."""
        wanted = audiences or self._tokens.api_audiences
        if is_bootstrap_token(token):
            return self._review_bootstrap_token(token, wanted)
        claims = self._tokens.verify(token)
        held = claims.get("aud") or self._tokens.api_audiences       # legacy tokens have none
        held = [held] if isinstance(held, str) else list(held)
        shared = tuple(audience for audience in held if audience in wanted)
        if not shared:
            raise InvalidToken(f"token audiences {_go_list(held)} is invalid for the target audiences {_go_list(wanted)}")
        account = await self._accounts.account_of(claims)
        user = UserInfo(
            service_account_username(account.namespace, account.name), account.uid,
            (SERVICE_ACCOUNTS_GROUP, f"{SERVICE_ACCOUNTS_GROUP}:{account.namespace}", AUTHENTICATED_GROUP), account.extra,
        )
        return TokenReviewResult(user, shared)

    def _review_bootstrap_token(self, token: str, wanted: tuple[str, ...]) -> TokenReviewResult:
        """These tokens know no audience: they are for the apiserver, whatever it calls itself."""
        shared = tuple(audience for audience in self._tokens.api_audiences if audience in wanted)
        if not shared:
            held = _go_list(self._tokens.api_audiences)
            raise InvalidToken(f"token audiences {held} is invalid for the target audiences {_go_list(wanted)}")
        return TokenReviewResult(self._bootstrap.user_of(token), shared)


def _user_of_certificate(subject: CertificateSubject) -> UserInfo:
    extra = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={subject.sha256}",)} if subject.sha256 else {}
    groups = tuple(dict.fromkeys((*subject.organizations, AUTHENTICATED_GROUP)))
    return UserInfo(subject.common_name, groups=groups, extra=extra)


def _go_list(names: tuple[str, ...] | list[str]) -> str:
    return "[" + " ".join(f'"{name}"' for name in names) + "]"
