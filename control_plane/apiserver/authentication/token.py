"""Service-account tokens: bound to an audience, a time and often a Pod; signed with the cluster's key."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from control_plane.apiserver.authentication import jwt
from control_plane.apiserver.authentication.user import service_account_username
from kube.process.clock import Clock
from kube.process.config import ConfigError

WARN_ONLY_EXPIRATION_S: Final = 3607            # what the ServiceAccount plugin asks for; marks tokens whose life is extended
EXTENDED_EXPIRATION_S: Final = 365 * 24 * 3600
LEEWAY: Final = timedelta(minutes=1)            # between clocks
LEGACY_ISSUER: Final = "kubernetes/serviceaccount"      # of tokens in Secrets; they never end
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
        self, issuer: str, signing_key_file: str, key_files: Sequence[str], clock: Clock, *, api_audiences: Sequence[str] = ()
    ) -> None:
        """`api_audiences` defaults to the issuer, as kube-apiserver's --api-audiences. Raises ConfigError."""
        self.issuer = issuer
        self.api_audiences = tuple(api_audiences) or (issuer,)
        self._clock = clock
        self._signing_key = _private_key(signing_key_file)
        self._signing_key_id = jwt.key_id(self._signing_key.public_key())
        keys = [_public_key(file) for file in key_files] or [self._signing_key.public_key()]
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
            bound is not None and bound.kind == "Pod" and expiration_s == WARN_ONLY_EXPIRATION_S
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
        prefix = "kubernetes.io/serviceaccount/"
        claims = {
            "iss": LEGACY_ISSUER, "sub": service_account_username(namespace, name), prefix + "namespace": namespace,
            prefix + "secret.name": secret_name, prefix + "service-account.name": name, prefix + "service-account.uid": uid,
        }
        return jwt.sign(claims, self._signing_key, self._signing_key_id)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that was signed here and is in time. Raises InvalidToken."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._check_signature(token)
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
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": [jwt.ALGORITHM],
        }

    def _check_signature(self, token: str) -> dict[str, Any]:
        try:
            parsed = jwt.parse(token)
        except jwt.MalformedToken as error:
            raise InvalidToken("invalid bearer token") from error
        if parsed.claims.get("iss") not in (self.issuer, LEGACY_ISSUER):
            raise InvalidToken("invalid bearer token")
        hint = parsed.header.get("kid")
        keys = [self._keys[hint]] if hint in self._keys else [] if hint else list(self._keys.values())
        if not keys:
            raise InvalidToken("invalid signature, no keys found")
        if not any(jwt.is_signed_by(parsed, key) for key in keys):
            raise InvalidToken("square/go-jose: error in cryptographic primitive")
        return parsed.claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock.now()
        if "exp" in claims and now > datetime.fromtimestamp(claims["exp"], UTC) + LEEWAY:
            raise InvalidToken("service account token has expired")
        if "nbf" in claims and now < datetime.fromtimestamp(claims["nbf"], UTC) - LEEWAY:
            raise InvalidToken("service account token is not valid yet")


def _private_key(file: str) -> rsa.RSAPrivateKey:
    # Not checked for being two primes and all: that takes longer than everything else in this package's start, for a file of our own.
    key = serialization.load_pem_private_key(_read(file), password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(f"{file}: the service-account signing key must be an RSA key")
    return key


def _public_key(file: str) -> rsa.RSAPublicKey:
    data = _read(file)
    key = _private_key(file).public_key() if b"PRIVATE KEY" in data else serialization.load_pem_public_key(data)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ConfigError(f"{file}: a service-account key must be an RSA key")
    return key


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
