"""What a token is bound to: is it still there, and still the same?"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from control_plane.apiserver.authentication.token import LEEWAY, InvalidToken
from control_plane.apiserver.authentication.user import service_account_username
from control_plane.service_account_keys import LEGACY_ISSUER
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType
from kube.process.clock import Clock, from_rfc3339


class Account(NamedTuple):
    """The service account that a token speaks for, and where it speaks from."""

    namespace: str
    name: str
    uid: str
    extra: dict[str, tuple[str, ...]]


def _core(plural: str) -> ResourceType:
    row = SCHEME.for_path("", "v1", plural)
    assert row is not None
    return row


_SERVICE_ACCOUNTS, _PODS, _SECRETS, _NODES = map(_core, ("serviceaccounts", "pods", "secrets", "nodes"))
_EXTRA = "authentication.kubernetes.io/"
LAST_USED_LABEL: Final = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE_LABEL: Final = "kubernetes.io/legacy-token-invalid-since"
LegacyUse = Callable[[JsonObject], None]


class AccountLookup:
    """`lookup` False: tokens in Secrets are believed without their Secret and account (--service-account-lookup).

    `on_legacy_use` hears of the Secret of each such token that somebody came with.
    """

    def __init__(self, cache: WatchCache, clock: Clock, *, lookup: bool = True) -> None:
        self._cache = cache
        self._clock = clock
        self._lookup = lookup
        self.on_legacy_use: LegacyUse | None = None

    async def account_of(self, claims: dict[str, Any], token: str) -> Account:
        """Raises InvalidToken. Asks etcd (through the cache) only when something seems to be missing: it may be just new."""
        try:
            return self._account_of(claims, token)
        except InvalidToken:
            await self._cache.fresh()
            return self._account_of(claims, token)

    def _account_of(self, claims: dict[str, Any], token: str) -> Account:
        return self._legacy(claims, token) if claims.get("iss") == LEGACY_ISSUER else self._bound(claims)

    def _bound(self, claims: dict[str, Any]) -> Account:
        told = claims.get("kubernetes.io") or {}
        namespace, account = told.get("namespace", ""), told.get("serviceaccount") or {}
        self._check_account(namespace, account.get("name", ""), account.get("uid", ""))
        extra: dict[str, tuple[str, ...]] = {}
        if claims.get("jti"):
            extra[_EXTRA + "credential-id"] = (f"JTI={claims['jti']}",)
        if pod := told.get("pod"):
            self._check_bound("pod", _PODS, namespace, pod)
            extra |= {_EXTRA + "pod-name": (pod["name"],), _EXTRA + "pod-uid": (pod["uid"],)}
        if secret := told.get("secret"):
            self._check_bound("secret", _SECRETS, namespace, secret)
        if node := told.get("node"):
            if not pod:
                self._check_bound("node", _NODES, "", node)
            extra[_EXTRA + "node-name"] = (node["name"],)
            if node.get("uid"):
                extra[_EXTRA + "node-uid"] = (node["uid"],)
        return Account(namespace, account["name"], account["uid"], extra)

    def _legacy(self, claims: dict[str, Any], token: str) -> Account:
        namespace, secret, name, uid = (
            str(claims.get("kubernetes.io/serviceaccount/" + key) or "")
            for key in ("namespace", "secret.name", "service-account.name", "service-account.uid")
        )
        told = ("namespace", namespace), ("secretName", secret), ("serviceAccountName", name), ("serviceAccountUID", uid)
        for claim, value in told:
            if not value:
                raise InvalidToken(f"{claim} claim is missing")
        if claims.get("sub") != service_account_username(namespace, name):
            raise InvalidToken("sub claim is invalid")
        if self._lookup:
            self._check_secret(namespace, secret, name, uid, token)
        return Account(namespace, name, uid, {})

    def _check_secret(self, namespace: str, secret: str, name: str, uid: str, token: str) -> None:
        held = self._get(_SECRETS, namespace, secret)
        if held is None or held["metadata"].get("deletionTimestamp"):
            raise InvalidToken("service account token has been invalidated")
        if not hmac.compare_digest(_token_in(held), token.encode()):
            raise InvalidToken("service account token does not match server's copy")
        self._check_account(namespace, name, uid)
        if self.on_legacy_use:
            self.on_legacy_use(held)
        if (held["metadata"].get("labels") or {}).get(INVALID_SINCE_LABEL):
            raise InvalidToken(
                f"the token in secret {namespace}/{secret} for service account {namespace}/{name} has been marked invalid. "
                "Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the 'invalid' label "
                "from the secret to temporarily allow use of this token")

    def _check_account(self, namespace: str, name: str, uid: str) -> None:
        account = self._get(_SERVICE_ACCOUNTS, namespace, name)
        if account is None:
            raise InvalidToken(f'serviceaccounts "{name}" not found')
        if self._is_gone(account):
            raise InvalidToken(f"service account {namespace}/{name} has been deleted")
        held = account["metadata"].get("uid", "")
        if held != uid:
            raise InvalidToken(f"service account UID ({held}) does not match claim ({uid})")

    def _check_bound(self, kind: str, resource: ResourceType, namespace: str, ref: dict[str, Any]) -> None:
        held = self._living(resource, namespace, ref.get("name", ""))
        if held is None:
            raise InvalidToken("service account token has been invalidated")
        uid = held["metadata"].get("uid", "")
        if uid != ref.get("uid"):
            raise InvalidToken(f"{kind} UID ({uid}) does not match service account {kind} ref claim ({ref.get('uid', '')})")

    def _living(self, resource: ResourceType, namespace: str, name: str) -> JsonObject | None:
        obj = self._get(resource, namespace, name)
        return None if obj is None or self._is_gone(obj) else obj

    def _get(self, resource: ResourceType, namespace: str, name: str) -> JsonObject | None:
        held = self._cache.get(resource, NamespacedName(namespace, name))
        return held.obj if held else None

    def _is_gone(self, obj: JsonObject) -> bool:
        deleted = obj["metadata"].get("deletionTimestamp")
        return bool(deleted) and from_rfc3339(deleted) < self._clock.now() - LEEWAY


def _token_in(secret: JsonObject) -> bytes:
    try:
        return base64.b64decode((secret.get("data") or {}).get("token") or "", validate=True)
    except ValueError:
        return b""
