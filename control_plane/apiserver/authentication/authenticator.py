"""Credentials -> UserInfo: a front proxy's word, else a client certificate, else a bearer token, else anonymous.

The first that knows the user decides; a bad credential does not end the search, but it ends being anonymous. Order and errors follow
kube-apiserver's authenticator config.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from multidict import MultiMapping

from control_plane.apiserver.authentication.accounts import AccountLookup
from control_plane.apiserver.authentication.bootstrap_token import BootstrapTokens
from control_plane.apiserver.authentication.certificate import CertificateSubject
from control_plane.apiserver.authentication.methods import TokenMethod, TokenReviewResult
from control_plane.apiserver.authentication.request_header import FrontProxy, NotAllowed
from control_plane.apiserver.authentication.service_accounts import ServiceAccountTokens
from control_plane.apiserver.authentication.token import InvalidToken, TokenAuthority
from control_plane.apiserver.authentication.user import ANONYMOUS_USER, AUTHENTICATED_GROUP, UserInfo, authenticated
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import Unauthorized
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("authentication")
INVALID: Final = "invalid bearer token"


@dataclass(frozen=True, slots=True)
class RequestCredentials:
    certificate: CertificateSubject | None = None
    token: str | None = None               # what follows "Bearer " in the Authorization header
    headers: MultiMapping[str] | None = None      # where a front proxy names the user
    path: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """What an administrator may add to certificates and the tokens of service accounts."""

    token_file: TokenMethod | None = None
    bootstrap: bool = True
    issuers: tuple[TokenMethod, ...] = ()          # OIDC
    webhook: TokenMethod | None = None
    front_proxy: FrontProxy | None = None
    anonymous_paths: frozenset[str] = frozenset()  # none: everywhere


class Authenticator:
    def __init__(
        self, tokens: TokenAuthority, cache: WatchCache, clock: Clock, *, anonymous: bool = True, lookup: bool = True,
        ways: Ways | None = None,
    ) -> None:
        ways = ways or Ways()
        self._tokens = tokens
        self.accounts = AccountLookup(cache, clock, lookup=lookup)
        self._front_proxy = ways.front_proxy
        bootstrap = BootstrapTokens(cache, clock, tokens.api_audiences) if ways.bootstrap else None
        self._first = (ways.token_file, ServiceAccountTokens(tokens, self.accounts), bootstrap)
        self._last = ways.webhook
        self._methods: tuple[TokenMethod, ...] = ()
        self.replace(ways.issuers, anonymous=anonymous, anonymous_paths=ways.anonymous_paths)

    def replace(self, issuers: Sequence[TokenMethod], *, anonymous: bool, anonymous_paths: frozenset[str]) -> None:
        """What an AuthenticationConfiguration says may change while the server runs."""
        self._anonymous, self._anonymous_paths = anonymous, anonymous_paths
        self._methods = tuple(method for method in (*self._first, *issuers, self._last) if method is not None)

    async def authenticate(self, credentials: RequestCredentials) -> UserInfo:
        """Raises errors.Unauthorized."""
        problems: list[str] = []
        certificate = credentials.certificate
        if certificate is not None and (user := self._of_certificate(certificate, credentials.headers, problems)):
            return user
        if credentials.token:
            try:
                return (await self.review_token(credentials.token)).user
            except InvalidToken as error:
                problems.append(str(error))
        if problems:
            log.info("Unable to authenticate the request", error=aggregate(problems))
        elif self._anonymous and (not self._anonymous_paths or credentials.path in self._anonymous_paths):
            return ANONYMOUS_USER
        raise Unauthorized("Unauthorized")

    async def review_token(self, token: str, audiences: tuple[str, ...] = ()) -> TokenReviewResult:
        """For TokenReview. No audiences: the apiserver's own. Raises InvalidToken, saying why each that knew the token refused it."""
        wanted = audiences or self._tokens.api_audiences
        problems = []
        for method in self._methods:
            try:
                if (result := await method.review(token, wanted)) is not None:
                    return result
            except InvalidToken as error:
                problems.append(str(error))
        raise InvalidToken(aggregate(problems) or INVALID)

    def _of_certificate(self, certificate: CertificateSubject, headers: MultiMapping[str] | None, problems: list[str]) -> UserInfo | None:
        if not certificate.in_time:
            problems.append("x509: certificate has expired or is not yet valid")
            return None
        if certificate.front_proxy and self._front_proxy and headers is not None:
            try:
                if user := self._front_proxy.user(certificate, headers):
                    return authenticated(user)
            except NotAllowed as error:
                problems.append(str(error))
        if certificate.problem:
            problems.append(certificate.problem)
            return None
        return _user_of_certificate(certificate) if certificate.common_name else None


def _user_of_certificate(subject: CertificateSubject) -> UserInfo:
    extra = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={subject.sha256}",)} if subject.sha256 else {}
    groups = tuple(dict.fromkeys((*subject.organizations, AUTHENTICATED_GROUP)))
    return UserInfo(subject.common_name, subject.uid, groups, extra)


def aggregate(problems: Sequence[str]) -> str:
    """As apimachinery prints several errors: each once, in brackets if there are several."""
    texts = list(dict.fromkeys(problems))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""
