"""Removes tokens of service accounts in Secrets that nobody made by hand and nobody has used for a year.

First such a Secret is marked as invalid (label `kubernetes.io/legacy-token-invalid-since`); when it has been so for as long again it goes.
Whoever uses it meanwhile can take the label off. Follows upstream's legacy-serviceaccount-token-cleaner-controller.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.core_v1 import ConfigMap, Pod, Secret, ServiceAccount
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import Result
from kube.client.objects import key_of
from kube.client.transport import PatchKind
from kube.process.clock import from_rfc3339

LOOK_EVERY_S: Final = 24 * 3600.0
TRACKING: Final = NamespacedName("kube-system", "kube-apiserver-legacy-service-account-token-tracking")
LAST_USED: Final = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE: Final = "kubernetes.io/legacy-token-invalid-since"
_TYPE: Final = "kubernetes.io/service-account-token"
_ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
_ACCOUNT_UID: Final = "kubernetes.io/service-account.uid"
_REFERENCES: Final = frozenset({"secretRef", "secretKeyRef", "nodePublishSecretRef", "secret"})


class LegacyTokenCleaner(ManagedController[str]):
    """One key: all of them, once a day."""

    def __init__(self, context: ControllerContext, clean_up_period: timedelta) -> None:
        super().__init__("legacy-serviceaccount-token-cleaner", context, workers=1)
        self._period = clean_up_period
        self._secrets = self.informer(Secret, field_selector=f"type={_TYPE}")
        self._accounts = self.informer(ServiceAccount)
        self._pods = self.informer(Pod)
        self.queue.add("all")

    async def reconcile(self, key: str) -> Result:
        now = self.clock.now()
        try:
            since = (await self.client.get(ConfigMap, TRACKING)).data.get("since", "")
        except errors.NotFound:
            return Result(requeue_after_s=LOOK_EVERY_S)
        tracked = _date(since)
        if tracked is not None and now >= tracked + timedelta(days=1) + self._period:
            for secret in self._secrets.store.list():
                if self._is_unused(secret, now):
                    await self._let_go(secret, now)
        return Result(requeue_after_s=LOOK_EVERY_S)

    def _is_unused(self, secret: Secret, now: datetime) -> bool:
        metadata, limit = secret.metadata, now - self._period
        if metadata.deletion_timestamp or not metadata.creation_timestamp or from_rfc3339(metadata.creation_timestamp) >= limit:
            return False
        used = metadata.labels.get(LAST_USED)
        if used is not None and (_date(used) is None or used >= _day(limit)):
            return False
        account = self._accounts.get(NamespacedName(metadata.namespace, metadata.annotations.get(_ACCOUNT_NAME, "")))
        uid = metadata.annotations.get(_ACCOUNT_UID, "")
        if account is None or (uid and uid != account.metadata.uid) or all(one.name != metadata.name for one in account.secrets):
            return False        # perhaps somebody made it by hand
        return all(metadata.name not in secret_names(pod) for pod in self._pods.store.list(metadata.namespace))

    async def _let_go(self, secret: Secret, now: datetime) -> None:
        since = secret.metadata.labels.get(INVALID_SINCE, "")
        try:
            if _date(since) is None:
                self.log.info("service account token is marked as invalid", secret=str(key_of(secret)))
                patch = {"metadata": {"uid": secret.metadata.uid, "labels": {INVALID_SINCE: _day(now)}}}
                await self.client.patch(Secret, key_of(secret), patch, kind=PatchKind.MERGE)
            elif since < _day(now - self._period):
                self.log.info("deleting unused service account token", secret=str(key_of(secret)), invalid_since=since)
                await self.client.delete(Secret, key_of(secret), resource_version=secret.metadata.resource_version)
        except (errors.NotFound, errors.Conflict):
            return      # changed meanwhile: tomorrow


def secret_names(pod: Pod) -> set[str]:
    """Every Secret that the Pod mentions."""
    pull = {reference.name for reference in pod.spec.image_pull_secrets}
    return pull | set(_mentioned(msgspec.to_builtins(pod.spec)))


def _mentioned(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for held in value:
            yield from _mentioned(held)
    elif isinstance(value, dict):
        for key, held in value.items():
            if key == "secretName" and isinstance(held, str):
                yield held
            elif key in _REFERENCES and isinstance(held, dict) and isinstance(held.get("name"), str):
                yield held["name"]
            yield from _mentioned(held)


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _day(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d")
