"""Bootstrap tokens: expired ones are deleted, and those that may sign do so for ConfigMap kube-public/cluster-info.

A machine that knows nothing but such a token reads cluster-info from a server it cannot trust yet: the signature, made with the token's
secret half, tells it that the CA in there is the cluster's. Follows upstream's pkg/controller/bootstrap.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Final

import msgspec

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.core_v1 import ConfigMap, Secret
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.informer import Informer
from kube.client.objects import key_of
from kube.process.clock import from_rfc3339

CLUSTER_INFO: Final = NamespacedName("kube-public", "cluster-info")
SIGNED: Final = "kubeconfig"
SIGNATURE_PREFIX: Final = "jws-kubeconfig-"
_TYPE: Final = "bootstrap.kubernetes.io/token"
_NAMESPACE: Final = "kube-system"
_NAME: Final = re.compile(r"bootstrap-token-([a-z0-9]{6})")


class TokenCleaner(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("token-cleaner", context, workers=1)
        self._secrets = _token_secrets(self)
        self._secrets.add_handler(self._enqueue, lambda _old, new: self._enqueue(new))

    def _enqueue(self, secret: Secret) -> None:
        self.queue.add(key_of(secret))

    async def reconcile(self, key: NamespacedName) -> Result:
        secret = self._secrets.get(key)
        if secret is None:
            return DONE
        left_s = seconds_left(secret, self.clock.now())
        if left_s is None:
            return DONE
        if left_s > 0:
            return Result(requeue_after_s=left_s)
        self.log.info("deleting expired bootstrap token", secret=str(key))
        try:
            await self.client.delete(Secret, key, uid=secret.metadata.uid)
        except (errors.NotFound, errors.Conflict):
            return DONE
        return DONE


class BootstrapSigner(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("bootstrap-signer", context, workers=1)
        self._secrets = _token_secrets(self)
        self._config_maps = self.informer(
            ConfigMap, namespace=CLUSTER_INFO.namespace, field_selector=f"metadata.name={CLUSTER_INFO.name}")
        self._secrets.add_handler(self._enqueue, self._enqueue, self._enqueue)
        self._config_maps.add_handler(self._enqueue, self._enqueue)

    def _enqueue(self, *_changed: object) -> None:
        self.queue.add(CLUSTER_INFO)

    async def reconcile(self, key: NamespacedName) -> Result:
        info = self._config_maps.get(key)
        if info is None or (content := info.data.get(SIGNED)) is None:
            return DONE
        signing = self._signing_tokens()
        data = {name: value for name, value in info.data.items() if not name.startswith(SIGNATURE_PREFIX)}
        data |= {f"{SIGNATURE_PREFIX}{identity}": signature(content, identity, secret) for identity, secret in signing.items()}
        if data != info.data:
            try:
                await self.client.update(msgspec.structs.replace(info, data=data))
            except errors.NotFound:
                return DONE
        return DONE         # an expired token is deleted, which brings us here again

    def _signing_tokens(self) -> dict[str, str]:
        """By id, the secret halves of those that may sign."""
        found = {}
        for secret in self._secrets.store.list():
            name, identity = _NAME.fullmatch(secret.metadata.name), value_of(secret, "token-id")
            left_s, half = seconds_left(secret, self.clock.now()), value_of(secret, "token-secret")
            expired = left_s is not None and left_s <= 0
            if name and name[1] == identity and half and not expired and value_of(secret, "usage-bootstrap-signing") == "true":
                found[identity] = half
        return found


def signature(content: str, identity: str, secret: str) -> str:
    """A detached JWS: RFC 7515, appendix F, with HS256."""
    header = _base64url(json.dumps({"alg": "HS256", "kid": identity}, separators=(",", ":")).encode())
    signed = f"{header}.{_base64url(content.encode())}".encode()
    return f"{header}..{_base64url(hmac.digest(secret.encode(), signed, hashlib.sha256))}"


def seconds_left(secret: Secret, now: datetime) -> float | None:
    """None: it does not expire. What cannot be read has expired."""
    expiration = value_of(secret, "expiration")
    if not expiration:
        return None
    try:
        return (from_rfc3339(expiration) - now).total_seconds()
    except ValueError:
        return 0.0


def value_of(secret: Secret, key: str) -> str:
    try:
        return base64.b64decode(secret.data.get(key, "")).decode()
    except ValueError:
        return ""


def _token_secrets(controller: ManagedController[NamespacedName]) -> Informer[Secret]:
    return controller.informer(Secret, namespace=_NAMESPACE, field_selector=f"type={_TYPE}")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
