"""Service-account tokens: bound to an audience, a time and often a Pod; signed with the cluster's key."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from control_plane import jwt
from control_plane.apiserver.authentication.user import service_account_username
from control_plane.service_account_keys import LEGACY_ISSUER, legacy_claims, private_key, public_keys
from kube.process.clock import Clock

WARN_ONLY_EXPIRATION_S: Final = 3607            # what the ServiceAccount plugin asks for; marks tokens whose life is extended
EXTENDED_EXPIRATION_S: Final = 365 * 24 * 3600
LEEWAY: Final = timedelta(minutes=1)            # between clocks
REMEMBERED: Final = 4096


class InvalidToken(Exception):
    """The message is what a TokenReview says; a request only hears "Unauthorized"."""


@dataclass(frozen=True, slots=True)
class BoundObject:
    """What a token dies with."""

    kind: str                 # Pod, Secret or Node
    name: str
    uid: str
    node_name: str = ""       # of a Pod: the Node it runs on, told in the token as well
    node_uid: str = ""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token: str
    expires_at: datetime
    audiences: tuple[str, ...]


class TokenAuthority:
    """Issues tokens, and says which were issued here and are in time. Whether what they are bound to still lives, see accounts.py."""

    def __init__(
        self, issuer: str | Sequence[str], signing_key_file: str, key_files: Sequence[str], clock: Clock, *,
        api_audiences: Sequence[str] = (), extend: bool = True, max_expiration_s: int = 0,
    ) -> None:
        """The first issuer is written into new tokens, all are accepted. `api_audiences` defaults to the issuers, as --api-audiences.

        `extend`: Pods' tokens live a year; `max_expiration_s`: no token lives longer, 0: no limit. Raises ConfigError.
        """
        self.issuers = (issuer,) if isinstance(issuer, str) else tuple(issuer)
        self.issuer = self.issuers[0]
        self.api_audiences = tuple(api_audiences) or self.issuers
        self.max_expiration_s = max_expiration_s
        self._extend = extend
        self._clock = clock
        self._signing_key = private_key(signing_key_file)
        self._signing_key_id = jwt.key_id(self._signing_key.public_key())
        keys = [key for file in key_files for key in public_keys(file)] or [self._signing_key.public_key()]
        self._keys = {jwt.key_id(key): key for key in keys}
        self._verified: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def issue(
        self, *, namespace: str, name: str, uid: str, audiences: Sequence[str] = (), expiration_s: int = 3600,
        bound: BoundObject | None = None,
    ) -> IssuedToken:
        """For the service account `namespace`/`name`; no audiences: the apiserver's own.

        A Pod's token of 3607 s lives a year for the apiserver's own audience (upstream's extended expiration);
        its `warnafter`, and `expires_at`, say when it should have been renewed.
        """
        now = self._clock.now()
        wanted = tuple(audiences) or self.api_audiences
        extended = (
            self._extend and bound is not None and bound.kind == "Pod" and expiration_s == WARN_ONLY_EXPIRATION_S
            and set(wanted) <= set(self.api_audiences)
        )
        started = int(now.timestamp())
        account: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        if bound:
            account[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
            if bound.node_name:
                account["node"] = {"name": bound.node_name} | ({"uid": bound.node_uid} if bound.node_uid else {})
        if extended:
            account["warnafter"] = started + expiration_s
        claims = {
            "aud": list(wanted), "exp": started + (EXTENDED_EXPIRATION_S if extended else expiration_s), "iat": started,
            "iss": self.issuer, "jti": str(uuid.uuid4()), "kubernetes.io": account, "nbf": started,
            "sub": service_account_username(namespace, name),
        }
        token = jwt.sign(claims, self._signing_key, self._signing_key_id)
        return IssuedToken(token, datetime.fromtimestamp(started + expiration_s, UTC), wanted)

    def issue_legacy(self, *, namespace: str, name: str, uid: str, secret_name: str) -> str:
        """For a Secret of type kubernetes.io/service-account-token: valid as long as the Secret and the account are there."""
        return jwt.sign(legacy_claims(namespace, name, uid, secret_name), self._signing_key, self._signing_key_id)

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that was signed here and is in time; None for what is not from our issuers. Raises InvalidToken."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._check_signature(token)
            if claims is None:
                return None
            self._verified[token] = claims
            if len(self._verified) > REMEMBERED:
                self._verified.popitem(last=False)
        self._check_times(claims)
        return claims

    def jwks(self) -> dict[str, Any]:
        """/openid/v1/jwks"""
        return {"keys": [jwt.to_jwk(key) for key in self._keys.values()]}

    def discovery_document(self, jwks_uri: str) -> dict[str, Any]:
        """/.well-known/openid-configuration"""
        return {
            "issuer": self.issuer, "jwks_uri": jwks_uri, "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({jwt.algorithm_of(key) for key in self._keys.values()}),
        }

    def _check_signature(self, token: str) -> dict[str, Any] | None:
        try:
            parsed = jwt.parse(token)
        except jwt.MalformedToken:
            return None
        if parsed.claims.get("iss") not in (*self.issuers, LEGACY_ISSUER):
            return None
        hint = parsed.header.get("kid")
        keys = [self._keys[hint]] if hint in self._keys else [] if hint else list(self._keys.values())
        if not keys:
            raise InvalidToken("invalid signature, no keys found")
        if not any(jwt.algorithm_of(key) == parsed.algorithm and jwt.is_signed_by(parsed, key) for key in keys):
            raise InvalidToken("go-jose/go-jose: error in cryptographic primitive")
        return parsed.claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock.now()
        if "exp" in claims and now > datetime.fromtimestamp(claims["exp"], UTC) + LEEWAY:
            raise InvalidToken("service account token has expired")
        if "nbf" in claims and now < datetime.fromtimestamp(claims["nbf"], UTC) - LEEWAY:
            raise InvalidToken("service account token is not valid yet")
