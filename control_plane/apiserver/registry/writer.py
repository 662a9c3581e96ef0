"""create, update, patch: what the client sent -> one etcd transaction. The order of the steps is upstream's.

    create   defaults -> mutating admission -> prepare, system fields, name -> validation -> validating admission -> transaction
    update   the loop of compare_and_swap.py around: patch or body -> defaults -> mutating admission -> prepare -> validation
             -> validating admission -> transaction (none if nothing changed; a deletion if the last finalizer went)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer, forbidden_error
from control_plane.apiserver.authorization.escalation import check_escalation
from control_plane.apiserver.authorization.rbac_index import RBAC_GROUP
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.checking import checked
from control_plane.apiserver.registry.compare_and_swap import CompareAndSwap
from control_plane.apiserver.registry.decoding import check_object
from control_plane.apiserver.registry.field_tracking import after_admission, track_write, tracker_for
from control_plane.apiserver.registry.hooks import NOTHING_RESERVED, Reservation, WriteHook
from control_plane.apiserver.registry.object_meta import (
    check_versions,
    deep_copy,
    fill_created,
    match_request,
    metadata_of,
    refuse_resource_version,
    require_resource_version,
    stamp_conditions,
    stamp_requester,
)
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.patching import Patch
from control_plane.apiserver.registry.subresource_writes import merge_for
from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.deletion import removed_by_update
from control_plane.apiserver.strategies.metadata import generated_name
from control_plane.apiserver.strategies.registry import strategy_for
from control_plane.storage.cached_object import CachedObject, encode_value, stored_value
from control_plane.storage.errors import KeyExists, RevisionMismatch, StoredValue, StoreUnavailable
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key
from kube.apimachinery.errors import AlreadyExists, Cause, NotFound, already_exists, conflict, invalid, modified
from kube.apimachinery.managed_fields.tracking import keep_times
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupResource, ResourceType
from kube.process.clock import Clock, to_rfc3339

_NAME_ATTEMPTS: Final = 8        # random suffixes tried before generateName gives up
_APPLY_ATTEMPTS: Final = 5       # each fails if the object appears and goes again meanwhile
_EVENTS: Final = GroupResource("", "events")

Change = Callable[[JsonObject], JsonObject]


@dataclass(frozen=True, slots=True)
class Facet:
    """A small object that stands for a part of a large one (a Scale): it is what clients change and what admission sees."""

    subresource: str
    view: Callable[[JsonObject], JsonObject]
    merge: Callable[[JsonObject, JsonObject], JsonObject]      # (facet, own copy of the object) -> the object to write


class Writer:
    def __init__(
        self, store: EtcdStore, swap: CompareAndSwap, admission: AdmissionChain, authorizer: Authorizer,
        hooks: dict[GroupResource, WriteHook], clock: Clock, *, event_ttl_s: float,
    ) -> None:
        self._store = store
        self._swap = swap
        self._admission = admission
        self._authorizer = authorizer
        self._hooks = hooks
        self._clock = clock
        self._event_ttl_s = event_ttl_s

    async def create(self, call: Call, obj: JsonObject, options: WriteOptions, *, track: bool = True) -> JsonObject:
        """The object as stored. `obj` is decoded and checked, and becomes the writer's own. `track`: False if it has its managed fields."""
        strategy = strategy_for(call.resource)
        match_request(call, obj, name=False)
        refuse_resource_version(call, obj)
        metadata = metadata_of(obj)
        generated = "" if metadata.get("name") else metadata.get("generateName", "")
        strategy.default(obj)
        if track:
            track_write(call, None, obj, options, self._clock)
        request = self._admission_request(call, Operation.CREATE, obj, None, options)
        await self._admit(request)
        match_request(call, obj, name=False)
        strategy.default(obj)
        fill_created(obj, self._clock.now())
        stamp_requester(call, obj)
        strategy.prepare_for_create(obj)      # a Job's selector is its uid
        await self._check_escalation(call, obj, None)
        attempts = _NAME_ATTEMPTS if generated else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._insert(call, strategy, request, obj, options)
            except KeyExists as error:
                if attempt < attempts:
                    metadata_of(obj)["name"] = generated_name(generated)
                    continue
                raise _exists(call, obj, error) from error
        raise AssertionError("unreachable")

    async def _insert(
        self, call: Call, strategy: Strategy, request: AdmissionRequest, obj: JsonObject, options: WriteOptions
    ) -> JsonObject:
        reservation = await self._reserve(call, obj, None, options)
        try:
            if causes := await checked(strategy, call.size, lambda: strategy.validate(obj)):
                raise invalid(call.gvk, metadata_of(obj).get("name", ""), causes)
            call.warnings.extend(await checked(strategy, call.size, lambda: strategy.warnings(obj, None)))
            request.name = metadata_of(obj)["name"]
            await self._admission.validate(request)
            key = object_key(call.resource, NamespacedName.of(obj))
            if options.dry_run:
                if current := await self._store.get(key):
                    raise KeyExists(key, current)
                await reservation.undo()
                return obj
            revision = await self._store.create(key, await stored_value(call.resource, obj), ttl_s=self._ttl_s(call.resource))
        except StoreUnavailable:
            raise      # nobody knows whether the write happened; what was reserved is looked after by the repair
        except BaseException:
            await reservation.undo()
            raise
        await reservation.keep()
        metadata_of(obj)["resourceVersion"] = str(revision)
        return obj

    async def update(self, call: Call, obj: JsonObject, options: WriteOptions) -> tuple[JsonObject, bool]:
        """The new object, and whether it was created (PUT creates objects of a few kinds)."""
        match_request(call, obj, name=True)
        try:
            return await self._change(call, lambda old: deep_copy(obj), options), False
        except NotFound:
            metadata = metadata_of(obj)
            creates = strategy_for(call.resource).allows_create_on_update and not call.subresource
            if not creates or metadata.get("resourceVersion") or metadata.get("uid"):
                raise
            await self._authorize_create(call)
            return await self.create(call, obj, options), True

    async def apply(self, call: Call, config: JsonObject, options: WriteOptions) -> tuple[JsonObject, bool]:
        """Server-side apply: the new object, and whether it was created. Raises ApplyConflict among others."""
        tracker = tracker_for(call.resource, call.subresource)

        def applied(old: JsonObject | None) -> JsonObject:
            obj = deep_copy(tracker.apply(old, config, options.field_manager, self.now(), force=bool(options.force)))
            check_object(obj, call.gvk, "Ignore", [])
            match_request(call, obj, name=True, fill_name=True)
            return obj

        for _ in range(_APPLY_ATTEMPTS):
            try:
                return await self._change(call, applied, options, track=False), False
            except NotFound:
                if call.subresource:
                    raise
            with suppress(AlreadyExists):       # somebody else was faster: then it is an update
                return await self._create_applied(call, applied(None), options), True
        raise modified(call.group_resource, call.name)

    async def _create_applied(self, call: Call, obj: JsonObject, options: WriteOptions) -> JsonObject:
        metadata = metadata_of(obj)
        if uid := metadata.get("uid"):
            raise conflict(
                call.group_resource, call.name,
                f"uid mismatch: the provided object specified uid {uid}, and no existing object was found",
            )
        metadata.pop("resourceVersion", None)
        await self._authorize_create(call)
        return await self.create(call, obj, options, track=False)

    def now(self) -> str:
        """As times of managers are written."""
        return to_rfc3339(self._clock.now())

    async def _authorize_create(self, call: Call) -> None:
        """Who may update or patch may not therefore create."""
        asked = Attributes(
            user=call.user, verb="create", group=call.resource.group, version=call.resource.version, resource=call.resource.plural,
            namespace=call.namespace, name=call.name,
        )
        if not (decision := await self._authorizer.decide(asked)).allowed:
            raise forbidden_error(asked, decision.reason)

    async def _check_escalation(self, call: Call, obj: JsonObject, old: JsonObject | None) -> None:
        if call.resource.group == RBAC_GROUP:
            await self._authorizer.asking(lambda: check_escalation(self._authorizer, call.user, call.resource, obj, old))

    async def patch(self, call: Call, patch: Patch, options: WriteOptions) -> JsonObject:
        said: list[str] = []

        def patched(old: JsonObject) -> JsonObject:
            said.clear()
            obj = patch.result(old, options.field_validation, said)
            match_request(call, obj, name=True)
            return obj

        obj = await self._change(call, patched, options)
        call.warnings.extend(said)
        return obj

    async def change(self, call: Call, change: Change, options: WriteOptions, facet: Facet | None = None) -> JsonObject:
        """For subresources whose body is not the object: `change` makes the new object (or facet) from its own copy of the current one."""
        return await self._change(call, lambda old: change(deep_copy(old)), options, facet)

    async def amend(self, call: Call, change: Change, *, dry_run: bool = False) -> JsonObject:
        """Without admission and validation: for subresources that have checked by their own rules (a binding)."""

        async def attempt(item: CachedObject) -> JsonObject:
            obj = change(deep_copy(item.view(call.resource.api_version)))
            if not dry_run:
                key = object_key(call.resource, call.key)
                revision = await self._store.update(key, await stored_value(call.resource, obj), expected_revision=item.revision)
                obj["metadata"]["resourceVersion"] = str(revision)
            return obj

        return await self._swap.change(call, attempt)

    async def _change(
        self, call: Call, change: Change, options: WriteOptions, facet: Facet | None = None, *, track: bool = True
    ) -> JsonObject:
        async def attempt(item: CachedObject) -> JsonObject:
            return await self._attempt(call, item, change, options, facet, track=track and facet is None)

        return await self._swap.change(call, attempt)

    async def _attempt(
        self, call: Call, item: CachedObject, change: Change, options: WriteOptions, facet: Facet | None, *, track: bool
    ) -> JsonObject:
        strategy = strategy_for(call.resource)
        old = item.view(call.resource.api_version)
        if facet is None:
            obj = change(old)
        else:
            asked = change(facet.view(old))
            request = self._admission_request(call, Operation.UPDATE, asked, facet.view(old), options, facet.subresource)
            await self._admit(request)
            obj = facet.merge(asked, deep_copy(old))
        if call.subresource in ("", "status") and not strategy.allows_update_without_version:
            require_resource_version(call, obj)
        check_versions(call, obj, old)
        if merge := merge_for(call.resource, call.subresource):
            obj = merge(obj, old)
        strategy.default(obj)
        if track:
            track_write(call, old, obj, options, self._clock)
        if facet is None:
            request = self._admission_request(call, Operation.UPDATE, obj, old, options)
            await self._admit(request)
        if call.subresource == "status":
            strategy.prepare_for_status_update(obj, old)
        elif merge:
            strategy.prepare_for_subresource_update(obj, old)
        else:
            strategy.prepare_for_update(obj, old)
        stamp_conditions(call, obj, old, self._clock.now())
        metadata = metadata_of(obj)
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        keep_times(obj, old)
        await self._check_escalation(call, obj, old)
        reservation = await self._reserve(call, obj, old, options)
        try:
            size = max(call.size, item.known_size)
            if causes := await checked(strategy, size, lambda: _update_causes(strategy, call, obj, old, part=bool(merge))):
                raise invalid(call.gvk, call.name, causes)
            if not call.subresource:
                call.warnings.extend(await checked(strategy, size, lambda: strategy.warnings(obj, old)))
            request.obj = facet.view(obj) if facet else obj
            await self._admission.validate(request)
            revision = await self._store_change(call, item, obj, old, options)
        except StoreUnavailable:
            raise      # nobody knows whether the write happened; what was reserved is looked after by the repair
        except BaseException:
            await reservation.undo()
            raise
        await (reservation.undo() if options.dry_run else reservation.keep())
        metadata_of(obj)["resourceVersion"] = str(revision)
        return obj

    async def _admit(self, request: AdmissionRequest) -> None:
        assert request.obj is not None
        before = request.obj["metadata"].get("managedFields")
        await self._admission.admit(request)
        after_admission(request.obj, before, request.warnings)

    async def _store_change(
        self, call: Call, item: CachedObject, obj: JsonObject, old: JsonObject, options: WriteOptions
    ) -> int:
        if options.dry_run:
            return item.revision
        key = object_key(call.resource, call.key)
        if removed_by_update(strategy_for(call.resource), obj):
            revision = await self._store.delete(key, expected_revision=item.revision)
            if hook := self._hooks.get(call.group_resource):
                await hook.release(old)
            return revision
        if obj == old and item.obj.get("apiVersion") == call.resource.storage_gvk.api_version:      # an older form is written anew
            unchanged = await self._unchanged(call, item)
            if not await self._store.is_stale(key):
                return unchanged
        return await self._store.update(
            key, await stored_value(call.resource, obj), expected_revision=item.revision, ttl_s=self._ttl_s(call.resource)
        )

    async def _unchanged(self, call: Call, item: CachedObject) -> int:
        """Nothing to write; yet what looked unchanged may have been a lagging cache's past, so etcd is asked."""
        newest = await self._swap.stored(call)
        if newest is None or newest.revision != item.revision:
            current = None if newest is None else StoredValue(
                object_key(call.resource, call.key), encode_value(call.resource, newest.obj), newest.revision
            )
            raise RevisionMismatch(object_key(call.resource, call.key), item.revision, current)
        return item.revision

    async def _reserve(self, call: Call, obj: JsonObject, old: JsonObject | None, options: WriteOptions) -> Reservation:
        hook = self._hooks.get(call.group_resource)
        if hook is None or call.subresource:
            return NOTHING_RESERVED
        return await hook.reserve(call, obj, old, dry_run=options.dry_run)

    def _ttl_s(self, resource: ResourceType) -> float | None:
        return self._event_ttl_s if resource.storage_identity == _EVENTS else None

    @staticmethod
    def _admission_request(
        call: Call, operation: Operation, obj: JsonObject, old: JsonObject | None, options: WriteOptions, subresource: str = ""
    ) -> AdmissionRequest:
        return AdmissionRequest(
            user=call.user, operation=operation, resource=call.resource, subresource=subresource or call.subresource,
            namespace=call.namespace, annotations=call.annotations,
            name=call.name or metadata_of(obj).get("name", ""), obj=obj, old=old, dry_run=options.dry_run, warnings=call.warnings,
            options=options.to_object("CreateOptions" if operation is Operation.CREATE else "UpdateOptions"),
        )


def _update_causes(strategy: Strategy, call: Call, obj: JsonObject, old: JsonObject, *, part: bool) -> list[Cause]:
    if call.subresource == "status":
        return strategy.validate_status_update(obj, old)
    return strategy.validate_subresource_update(obj, old, call.subresource) if part else strategy.validate_update(obj, old)


def _exists(call: Call, obj: JsonObject, error: KeyExists) -> AlreadyExists:
    name = metadata_of(obj)["name"]
    exists = already_exists(call.group_resource, name)
    if error.current and b'"deletionTimestamp"' in error.current.value:
        return AlreadyExists(f"object is being deleted: {exists.message}", details=exists.details)
    return exists
