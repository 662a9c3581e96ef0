"""Fills Secrets of type kubernetes.io/service-account-token, and removes them with their account. Follows upstream's tokens-controller.

None is made that nobody asked for: since 1.24 whoever wants one creates the Secret, annotated with the account's name.
"""

from __future__ import annotations

import base64
from typing import Final, NamedTuple

import msgspec

from control_plane import jwt
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.service_account_keys import legacy_claims, private_key
from kube.api.core_v1 import Secret, ServiceAccount
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

TYPE: Final = "kubernetes.io/service-account-token"
NAME_ANNOTATION: Final = "kubernetes.io/service-account.name"
UID_ANNOTATION: Final = "kubernetes.io/service-account.uid"
_BY_ACCOUNT: Final = "by service account"


class TokenSecret(NamedTuple):
    """A Secret, and whose it says it is; known still when it is gone."""

    namespace: str
    name: str
    account: str
    account_uid: str


class TokensController(ManagedController[TokenSecret]):
    def __init__(self, context: ControllerContext, private_key_file: str, root_ca: str) -> None:
        """Raises ConfigError for a key that cannot be used."""
        super().__init__("serviceaccount-token", context)
        self._key = private_key(private_key_file)
        self._key_id = jwt.key_id(self._key.public_key())
        self._root_ca = _encoded(root_ca)
        self._secrets = self.informer(Secret, field_selector=f"type={TYPE}")
        self._secrets.add_index(_BY_ACCOUNT, lambda secret: (_account_of(secret),))
        self._secrets.add_handler(self._enqueue, lambda _old, new: self._enqueue(new), self._enqueue)
        self._accounts = self.informer(ServiceAccount)
        self._accounts.add_handler(self._enqueue_secrets, on_delete=self._enqueue_secrets)

    def _enqueue(self, secret: Secret) -> None:
        account = _account_of(secret)
        self.queue.add(TokenSecret(account.namespace, secret.metadata.name, account.name, _annotation(secret, UID_ANNOTATION)))

    def _enqueue_secrets(self, account: ServiceAccount) -> None:
        for secret in self._secrets.by_index(_BY_ACCOUNT, key_of(account)):
            self._enqueue(secret)

    async def reconcile(self, key: TokenSecret) -> Result:
        secret = self._secrets.get(NamespacedName(key.namespace, key.name))
        if secret is None or _account_of(secret).name != key.account:
            await self._drop_mention(key)
            return DONE
        account = await self._account(NamespacedName(key.namespace, key.account), key.account_uid)
        try:
            if account is None:
                self.log.info("service account is gone, deleting its token", secret=f"{key.namespace}/{key.name}", account=key.account)
                await self.client.delete(Secret, key_of(secret), uid=secret.metadata.uid)
            elif (filled := self._filled(secret, account)) != secret:
                await self.client.update(filled)
        except (errors.NotFound, errors.Conflict):
            return DONE         # it changed meanwhile: an event comes
        return DONE

    async def _account(self, key: NamespacedName, uid: str) -> ServiceAccount | None:
        """Asks the apiserver before it believes that there is none."""
        held = self._accounts.get(key)
        if held is None or (uid and held.metadata.uid != uid):
            try:
                held = await self.client.get(ServiceAccount, key)
            except errors.NotFound:
                return None
        return None if uid and held.metadata.uid != uid else held

    def _filled(self, secret: Secret, account: ServiceAccount) -> Secret:
        data = {**secret.data, "ca.crt": self._root_ca}
        namespace, name, uid = account.metadata.namespace, account.metadata.name, account.metadata.uid
        if not data.get("namespace"):
            data["namespace"] = _encoded(namespace)
        if not data.get("token"):
            data["token"] = _encoded(jwt.sign(legacy_claims(namespace, name, uid, secret.metadata.name), self._key, self._key_id))
        annotations = {**secret.metadata.annotations, NAME_ANNOTATION: name, UID_ANNOTATION: uid}
        return msgspec.structs.replace(
            secret, data=data, metadata=msgspec.structs.replace(secret.metadata, annotations=annotations))

    async def _drop_mention(self, key: TokenSecret) -> None:
        account = self._accounts.get(NamespacedName(key.namespace, key.account))
        if account is None or all(reference.name != key.name for reference in account.secrets):
            return

        def without(held: ServiceAccount) -> ServiceAccount:
            return msgspec.structs.replace(held, secrets=tuple(one for one in held.secrets if one.name != key.name))

        try:
            await self.client.guaranteed_update(ServiceAccount, key_of(account), without)
        except errors.NotFound:
            return


def _account_of(secret: Secret) -> NamespacedName:
    return NamespacedName(secret.metadata.namespace, _annotation(secret, NAME_ANNOTATION))


def _annotation(secret: Secret, name: str) -> str:
    return secret.metadata.annotations.get(name, "")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
