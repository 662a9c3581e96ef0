"""Bootstrap tokens: ID.SECRET, held in Secrets of kube-system, with which a machine that joins asks for its first certificate.

Follows upstream's plugin/pkg/auth/authenticator/token/bootstrap.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

from control_plane.apiserver.authentication.methods import TokenReviewResult, for_audiences
from control_plane.apiserver.authentication.token import InvalidToken
from control_plane.apiserver.authentication.user import AUTHENTICATED_GROUP, UserInfo
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.process.clock import Clock, from_rfc3339

SECRET_TYPE: Final = "bootstrap.kubernetes.io/token"        # noqa: S105  (a type, not a secret)
USER_PREFIX: Final = "system:bootstrap:"
DEFAULT_GROUP: Final = "system:bootstrappers"
_FORM: Final = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP: Final = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


class BootstrapTokens:
    def __init__(self, cache: WatchCache, clock: Clock, api_audiences: tuple[str, ...]) -> None:
        self._api_audiences = api_audiences
        row = SCHEME.for_path("", "v1", "secrets")
        assert row is not None
        self._secrets = row
        self._cache = cache
        self._clock = clock

    async def review(self, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        """Raises InvalidToken; its message never holds the secret half."""
        form = _FORM.fullmatch(token)
        if form is None:
            return None
        identity, secret_half = form.groups()
        name = f"bootstrap-token-{identity}"
        held = self._cache.get(self._secrets, NamespacedName("kube-system", name))
        if held is None:
            raise InvalidToken(f"no secret of name {name} to match bootstrap bearer token")
        try:
            groups = self._groups_of(held.obj, identity, secret_half)
        except InvalidToken as error:
            raise InvalidToken(f"bootstrap secret kube-system/{name} matching bearer token {error}") from error
        user = UserInfo(USER_PREFIX + identity, groups=(*groups, AUTHENTICATED_GROUP))
        return for_audiences(user, self._api_audiences, audiences)

    def _groups_of(self, secret: JsonObject, identity: str, secret_half: str) -> list[str]:
        if secret["metadata"].get("deletionTimestamp"):
            raise InvalidToken("is deleted and awaiting removal")
        if secret.get("type") != SECRET_TYPE:
            raise InvalidToken(f"has invalid type, expected {SECRET_TYPE}")
        data = {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}
        if not hmac.compare_digest(data.get("token-secret", b""), secret_half.encode()):
            raise InvalidToken("has invalid value for key token-secret")
        if data.get("token-id") != identity.encode():
            raise InvalidToken("has invalid value for key token-id")
        if self._is_expired(data.get("expiration", b"")):
            raise InvalidToken("has expired")
        if data.get("usage-bootstrap-authentication") != b"true":
            raise InvalidToken("not marked usage-bootstrap-authentication=true")
        return _groups(data.get("auth-extra-groups", b""))

    def _is_expired(self, expiration: bytes) -> bool:
        """What cannot be read has expired."""
        if not expiration:
            return False
        try:
            return self._clock.now() > from_rfc3339(expiration.decode())
        except ValueError:
            return True


def _groups(extra: bytes) -> list[str]:
    names = extra.decode(errors="replace").split(",") if extra else []
    for name in names:
        if not _GROUP.fullmatch(name):
            raise InvalidToken(
                f'has invalid value for key auth-extra-groups: bootstrap group "{name}" is invalid (must match \\A{_GROUP.pattern}\\z)')
    return sorted({DEFAULT_GROUP, *names})


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return b""
