"""delete and deletecollection: the loop around what strategies/deletion.py decides."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final, NamedTuple

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.compare_and_swap import CompareAndSwap
from control_plane.apiserver.registry.hooks import WriteHook
from control_plane.apiserver.registry.object_meta import check_preconditions
from control_plane.apiserver.registry.options import DeleteOptions, ListOptions
from control_plane.apiserver.registry.reader import ListPage, Reader
from control_plane.apiserver.strategies.deletion import Fate, plan_deletion
from control_plane.apiserver.strategies.registry import strategy_for
from control_plane.storage.cached_object import CachedObject, stored_value
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key
from kube.apimachinery.errors import NotFound
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource
from kube.process.clock import Clock

_AT_ONCE: Final = 16      # deletions of one deletecollection under way together

# Kinds whose DELETE answers with the object that is gone; all others answer with a Status (upstream's ReturnDeletedObject).
_ANSWER_WITH_OBJECT: Final = frozenset({
    "pods", "podtemplates", "persistentvolumes", "persistentvolumeclaims", "resourcequotas", "serviceaccounts", "services",
    "storageclasses", "csidrivers", "csinodes", "volumeattachments",
})


class Deleted(NamedTuple):
    """`answer` is the object (still there, or its last state) or a Status; `gone`: it was removed by this request."""

    answer: JsonObject
    gone: bool


class Deleter:
    def __init__(
        self, store: EtcdStore, swap: CompareAndSwap, reader: Reader, admission: AdmissionChain,
        hooks: dict[GroupResource, WriteHook], clock: Clock,
    ) -> None:
        self._store = store
        self._swap = swap
        self._reader = reader
        self._admission = admission
        self._hooks = hooks
        self._clock = clock

    async def delete(self, call: Call, options: DeleteOptions, *, admission: bool = True) -> Deleted:
        """`admission`: False if it was asked already, about what the deletion is part of (an eviction)."""

        async def attempt(item: CachedObject) -> Deleted:
            return await self._attempt(call, item, options, admission=admission)

        return await self._swap.change(call, attempt)

    async def delete_collection(self, call: Call, listing: ListOptions, options: DeleteOptions) -> ListPage:
        """Deletes what the list shows; answers with that list. Raises the first error, after the others were tried."""
        page = await self._reader.list(call, listing)
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(item: CachedObject) -> None:
            single = Call(
                call.user, "delete", call.resource, item.namespace, item.name, user_agent=call.user_agent, warnings=call.warnings,
                annotations=call.annotations,
            )
            async with places:
                with contextlib.suppress(NotFound):      # somebody else was faster
                    await self.delete(single, options)

        failures = [
            result for result in await asyncio.gather(*map(one, page.items), return_exceptions=True)
            if isinstance(result, BaseException)
        ]
        if failures:
            raise failures[0]
        return page

    async def _attempt(self, call: Call, item: CachedObject, options: DeleteOptions, *, admission: bool) -> Deleted:
        old = item.view(call.resource.api_version)
        check_preconditions(call, options.uid, options.resource_version, old["metadata"])
        if admission:
            request = AdmissionRequest(
                user=call.user, operation=Operation.DELETE, resource=call.resource, namespace=call.namespace, name=call.name, old=old,
                options={**(options.raw or {}), "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}, dry_run=options.dry_run,
                warnings=call.warnings, annotations=call.annotations,
            )
            await self._admission.admit(request)
            await self._admission.validate(request)
        planned = plan_deletion(strategy_for(call.resource), old, _normal(options), self._clock.now())
        if planned.fate is Fate.PENDING:
            return Deleted(planned.obj, gone=False)
        obj, key = planned.obj, object_key(call.resource, call.key)
        if planned.fate is Fate.MARKED:
            if not options.dry_run:
                revision = await self._store.update(key, await stored_value(call.resource, obj), expected_revision=item.revision)
                obj["metadata"]["resourceVersion"] = str(revision)
            return Deleted(obj, gone=False)
        if not options.dry_run:
            await self._store.delete(key, expected_revision=item.revision)
            if hook := self._hooks.get(call.group_resource):
                await hook.release(old)
        with_object = call.resource.plural in _ANSWER_WITH_OBJECT and call.resource.custom is None
        return Deleted(obj if with_object else _success(call, old), gone=True)


def _normal(options: DeleteOptions) -> dict[str, Any]:
    """The options as the strategies read them."""
    normal: dict[str, Any] = {}
    if options.grace_period_s is not None:
        normal["gracePeriodSeconds"] = options.grace_period_s
    if options.orphan_dependents is not None:
        normal["orphanDependents"] = options.orphan_dependents
    if options.propagation_policy:
        normal["propagationPolicy"] = options.propagation_policy
    return normal


def _success(call: Call, old: JsonObject) -> JsonObject:
    details = {"name": call.name, "group": call.resource.group, "kind": call.resource.plural, "uid": old["metadata"].get("uid", "")}
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
