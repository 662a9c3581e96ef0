"""What a token is bound to: is it still there, and still the same?"""

from __future__ import annotations

from typing import Any, NamedTuple

from control_plane.apiserver.authentication.token import LEEWAY, LEGACY_ISSUER, InvalidToken
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


class AccountLookup:
    def __init__(self, cache: WatchCache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    async def account_of(self, claims: dict[str, Any]) -> Account:
        """Raises InvalidToken. Asks etcd (through the cache) only when something seems to be missing: it may be just new."""
        account_of = self._legacy if claims.get("iss") == LEGACY_ISSUER else self._bound
        try:
            return account_of(claims)
        except InvalidToken:
            await self._cache.fresh()
            return account_of(claims)

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

    def _legacy(self, claims: dict[str, Any]) -> Account:
        namespace, secret, name, uid = (
            str(claims.get("kubernetes.io/serviceaccount/" + key, ""))
            for key in ("namespace", "secret.name", "service-account.name", "service-account.uid")
        )
        held = self._living(_SECRETS, namespace, secret)
        if held is None:
            raise InvalidToken("service account token has been invalidated")
        self._check_account(namespace, name, uid)
        return Account(namespace, name, uid, {})

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
