"""Bearer tokens of an OpenID Connect issuer: signed with a key that the issuer publishes, for our audience, in time.

Discovery and keys are fetched when the first token comes, so that an issuer may run in the cluster itself; keys again when a token is
signed with one not seen yet. Follows apiserver's oidc plugin and go-oidc.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from control_plane import jwt
from control_plane.apiserver.authentication.claims import user_of
from control_plane.apiserver.authentication.configuration import JwtAuthenticator
from control_plane.apiserver.authentication.methods import TokenReviewResult, for_audiences
from control_plane.apiserver.authentication.token import InvalidToken
from control_plane.apiserver.authentication.user import authenticated
from control_plane.apiserver.remote import Remote, RemoteError, Threads, trusting
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("oidc")

RETRY_S: Final = 1.0               # between two questions to the issuer, however many tokens come with keys unknown
LEEWAY_S: Final = 60.0             # of "not before"
WELL_KNOWN: Final = "/.well-known/openid-configuration"


class Issuer:
    """One issuer's tokens."""

    def __init__(
        self, config: JwtAuthenticator, api_audiences: tuple[str, ...], clock: Clock, threads: Threads,
        algorithms: Sequence[str] = jwt.ALGORITHMS,
    ) -> None:
        self._config = config
        self._api_audiences = api_audiences
        self._clock = clock
        self._algorithms = tuple(algorithms)
        self._keys = PublishedKeys(config, clock, threads)

    async def review(self, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        try:
            parsed = jwt.parse(token)
        except jwt.MalformedToken:
            return None
        issuer = parsed.claims.get("iss")
        if ("https://accounts.google.com" if issuer == "accounts.google.com" else issuer) != self._config.issuer.url:
            return None
        self._check_claims(parsed.claims)
        await self._check_signature(parsed)
        user = user_of(parsed.claims, self._config)
        return for_audiences(authenticated(user), self._api_audiences, audiences)

    def _check_claims(self, claims: dict[str, Any]) -> None:
        held = claims.get("aud")
        named = [held] if isinstance(held, str) else held if isinstance(held, list) else []
        if not set(named) & set(self._config.issuer.audiences):
            wanted = " ".join(f'"{audience}"' for audience in sorted(self._config.issuer.audiences))
            got = " ".join(f'"{audience}"' for audience in named)
            raise InvalidToken(f"oidc: verify token: oidc: expected audience in [{wanted}] got [{got}]")
        now = self._clock.now().timestamp()
        if _seconds(claims, "exp") <= now:
            raise InvalidToken("oidc: verify token: oidc: token is expired")
        if _seconds(claims, "nbf") > now + LEEWAY_S:
            raise InvalidToken("oidc: verify token: oidc: current time is before the nbf (not before) time")

    async def _check_signature(self, token: jwt.Token) -> None:
        if token.algorithm not in self._algorithms:
            wanted = " ".join(f'"{name}"' for name in self._algorithms)
            why = f'id token signed with unsupported algorithm, expected [{wanted}] got "{token.algorithm}"'
            raise InvalidToken(f"oidc: verify token: oidc: {why}")
        for key in await self._keys.candidates(token):
            if jwt.is_signed_by(token, key):
                return
        raise InvalidToken("oidc: verify token: failed to verify signature: failed to verify id token signature")


class PublishedKeys:
    """What the issuer's discovery document leads to."""

    def __init__(self, config: JwtAuthenticator, clock: Clock, threads: Threads) -> None:
        self._issuer = config.issuer
        self._clock = clock
        self._threads = threads
        self._context = trusting(config.issuer.certificate_authority or None)
        self._keys_url = ""
        self._keys: list[tuple[str, jwt.PublicKey]] = []         # key id ("": none told) and key
        self._fetched_at = self._failed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def candidates(self, token: jwt.Token) -> list[jwt.PublicKey]:
        """Keys that may have signed it. Raises InvalidToken when the issuer cannot be asked."""
        found = self._matching(token)
        if found and any(jwt.is_signed_by(token, key) for key in found):
            return found
        seen = self._fetched_at
        async with self._lock:
            if self._fetched_at == seen and self._clock.monotonic() >= max(self._fetched_at, self._failed_at) + RETRY_S:
                await self._fetch()
        if not self._keys_url:
            raise InvalidToken("oidc: authenticator not initialized")
        return self._matching(token)

    def _matching(self, token: jwt.Token) -> list[jwt.PublicKey]:
        hint = token.header.get("kid")
        return [key for name, key in self._keys if not hint or not name or name == hint]

    async def _fetch(self) -> None:
        try:
            if not self._keys_url:
                self._keys_url = await self._discover()
            document = await self._get(self._keys_url)
            self._keys = list(_keys_of(document))
            self._fetched_at = self._clock.monotonic()
        except (RemoteError, ValueError) as error:
            self._failed_at = self._clock.monotonic()
            log.error("issuer cannot be asked", issuer=self._issuer.url, error=str(error))

    async def _discover(self) -> str:
        document = await self._get(self._issuer.discovery_url or self._issuer.url.rstrip("/") + WELL_KNOWN)
        if document.get("issuer") != self._issuer.url:
            told = document.get("issuer")
            raise ValueError(f'oidc: issuer did not match the issuer returned by provider, expected "{self._issuer.url}" got "{told}"')
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not url:
            raise ValueError("provider did not return JWKS URL")
        if urlsplit(url).scheme != "https":
            raise ValueError(f"JWKS URL must be https, got {url!r}")
        return url

    async def _get(self, url: str) -> dict[str, Any]:
        remote = Remote(url, self._context)
        data = await self._threads.run(remote.get)
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ValueError(f"{url}: {error}") from error


def _keys_of(document: dict[str, Any]) -> list[tuple[str, jwt.PublicKey]]:
    found = []
    for entry in document.get("keys") or ():
        if (key := jwt.from_jwk(entry)) is not None:
            found.append((str(entry.get("kid") or ""), key))
    return found


def _seconds(claims: dict[str, Any], claim: str) -> float:
    value = claims.get(claim, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"oidc: verify token: oidc: malformed jwt: {claim} is no time")
    return float(value)
