"""Charging quotas by compare-and-swap, so that no two writes spend the same rest. Follows apiserver's quota controller.go.

Writes of one namespace wait together and are charged in one transaction per quota: fifty Pods at once cost one write, not fifty.
What this process wrote last is remembered, since the watch cache learns of it a moment later.

A charge is not given back when the write fails after it (who could say whether it happened?): the controller counts anew a moment later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from control_plane.apiserver.admission.lookup import row_of
from control_plane.apiserver.admission.plugin import AdmissionRequest
from control_plane.apiserver.admission.resource_quota.configuration import LimitedResource
from control_plane.apiserver.admission.resource_quota.rules import Account, charged
from control_plane.apiserver.admission.resource_quota.surroundings import CachedSurroundings
from control_plane.apiserver.registry.field_tracking import tracker_for
from control_plane.quota.amounts import same, written
from control_plane.quota.evaluator import Evaluator
from control_plane.quota.registry import Evaluators
from control_plane.storage.cached_object import CachedObject, encode_value
from control_plane.storage.errors import RevisionMismatch
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, InternalError, modified
from kube.apimachinery.managed_fields.typed import TypedError
from kube.apimachinery.meta import NamespacedName
from kube.process.clock import Clock, SystemClock, to_rfc3339

_ATTEMPTS: Final = 10       # against the controller, and against other apiservers
_PATIENCE_S: Final = 10.0
_MANAGER: Final = "kube-apiserver"


class _Waiter(NamedTuple):
    request: AdmissionRequest
    evaluator: Evaluator
    only_asks: bool
    verdict: asyncio.Future[None]


class QuotaLedger:
    def __init__(
        self, cache: WatchCache, store: EtcdStore, limited: tuple[LimitedResource, ...], clock: Clock | None = None
    ) -> None:
        self._cache = cache
        self._store = store
        self._limited = limited
        self._clock = clock or SystemClock()
        self._row = row_of("", "resourcequotas")
        self._evaluators = Evaluators(CachedSurroundings(cache))
        self._waiting: dict[str, list[_Waiter]] = {}          # namespace -> who came while the batch before was charged
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._written: dict[str, dict[str, CachedObject]] = {}     # namespace -> name -> what this process wrote last

    def concerns(self, request: AdmissionRequest) -> bool:
        """Whether such a write may change what is used."""
        assert request.obj is not None
        evaluator = self._evaluators.of(request.resource.group_resource)
        return evaluator.handles(request.operation, request.subresource, request.obj, request.old)

    async def charge(self, request: AdmissionRequest, *, only_asks: bool = False) -> None:
        """Returns when the quotas are charged (`only_asks`: would be). Raises Forbidden if they do not suffice."""
        namespace = request.namespace
        evaluator = self._evaluators.of(request.resource.group_resource)
        verdict: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, []).append(_Waiter(request, evaluator, only_asks or request.dry_run, verdict))
        if namespace not in self._workers:
            self._workers[namespace] = asyncio.create_task(self._work(namespace), name=f"quotas of {namespace}")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await verdict
        except TimeoutError:
            raise InternalError("Internal error occurred: resource quota evaluation timed out") from None

    async def _work(self, namespace: str) -> None:
        try:
            while batch := self._waiting.pop(namespace, None):
                try:
                    await self._charge_all(namespace, [waiter for waiter in batch if not waiter.verdict.done()])
                except Exception as error:      # whatever it is: every waiter must hear of it
                    _settle(batch, error)
        finally:
            del self._workers[namespace]

    async def _charge_all(self, namespace: str, waiters: Sequence[_Waiter]) -> None:
        """A quota that somebody else wrote meanwhile is read again, and those who need it are asked again about it alone."""
        accounts = self._accounts(namespace)
        for attempt in range(_ATTEMPTS):
            after, waiters = self._decide(accounts, waiters, () if attempt else self._limited)
            lost = await self._write(accounts, after)
            if not lost:
                _settle(waiters, None)
                return
            again = {account.name for account in lost}
            accounts = [account for account in self._accounts(namespace) if account.name in again]
        _settle(waiters, modified(self._row.group_resource, lost[0].name))

    def _decide(
        self, accounts: list[Account], waiters: Sequence[_Waiter], limited: tuple[LimitedResource, ...]
    ) -> tuple[list[Account], list[_Waiter]]:
        """The accounts after all that fit, and who waits for them to be written; everybody else hears his verdict now."""
        passed: list[_Waiter] = []
        now = self._clock.now()
        for waiter in waiters:
            try:
                after = charged(accounts, waiter.evaluator, waiter.request, limited, now)
            except ApiError as error:
                _settle([waiter], error)
                continue
            if waiter.only_asks or after == accounts:
                _settle([waiter], None)
                continue
            passed.append(waiter)
            accounts = after
        return accounts, passed

    async def _write(self, before: Sequence[Account], after: Sequence[Account]) -> list[Account]:
        """Those that could not be written, as they were."""
        lost: list[Account] = []
        for old, new in zip(before, after, strict=True):
            if not same(old.used, new.used) and not await self._write_one(new):
                lost.append(old)
        return lost

    async def _write_one(self, account: Account) -> bool:
        old = account.quota
        quota = {**old, "metadata": {**old["metadata"]}, "status": {**(old.get("status") or {}), "used": written(account.used)}}
        key = NamespacedName.of(quota)
        with suppress(TypedError):      # then they stay what they were
            tracker_for(self._row, "status").update(old, quota, _MANAGER, to_rfc3339(self._clock.now()))
        name, value = object_key(self._row, key), encode_value(self._row, quota)
        try:
            revision = await self._store.update(name, value, expected_revision=account.revision)
        except RevisionMismatch as lost:
            if lost.current is None:
                await self._cache.fresh()
            else:
                self._remember(key, CachedObject.from_stored(self._row, lost.current, key))
            return False
        self._remember(key, CachedObject(self._row, str(key), value, revision))
        return True

    def _remember(self, key: NamespacedName, written_last: CachedObject) -> None:
        self._written.setdefault(key.namespace, {})[key.name] = written_last

    def _accounts(self, namespace: str) -> list[Account]:
        """By name. What was written last counts as long as the cache has nothing newer."""
        found: list[Account] = []
        newer: dict[str, CachedObject] = {}
        remembered = self._written.pop(namespace, {})
        for held in self._cache.list(self._row, namespace)[0]:
            last = remembered.get(held.name)
            if last is not None and last.revision > held.revision:
                newer[held.name] = held = last
            found.append(Account.of(held.obj, held.revision))
        if newer:
            self._written[namespace] = newer
        return found


def _settle(waiters: Sequence[_Waiter], error: Exception | None) -> None:
    for waiter in waiters:
        if waiter.verdict.done():
            continue
        if error is None:
            waiter.verdict.set_result(None)
        else:
            waiter.verdict.set_exception(error)
