"""Rewrites every object of a resource, so that all are stored in the version of today. Follows upstream's storageversionmigrator.

    StorageVersionMigration ─► Running (one per resource) ─► status.resourceVersion: where the resource stands now
                            ─► an empty patch for each object that is not newer ─► Succeeded or Failed, no longer Running

A CustomResourceDefinition says meanwhile that it is `StorageMigrating`; after a success its storedVersions hold but the storage version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from control_plane.controllers.custom_kinds import CustomKinds
from control_plane.controllers.extension_kinds import ExtensionKinds
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.meta_v1 import Condition, GroupResource
from kube.api.storagemigration_v1 import StorageVersionMigration
from kube.apimachinery import errors
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource as Resource
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.client.controller import DONE, Result
from kube.client.dynamic import DynamicClient
from kube.client.objects import key_of
from kube.client.transport import ListQuery, Location, PatchKind
from kube.process.clock import from_rfc3339, to_rfc3339

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"
VERBS: Final = ("update", "patch", "list")
NEW_FOR: Final = timedelta(minutes=1)        # so long may a kind be unknown that was only just made
PAGE: Final = 500
_DEFINITIONS: Final = GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
_AGAIN: Final = (errors.ServerTimeout, errors.TooManyRequests, errors.ServiceUnavailable, errors.InternalError, errors.Timeout)


class StorageVersionMigrator(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("storage-version-migrator", context)
        self._migrations = self.informer(StorageVersionMigration)
        self._migrations.add_handler(self._on_change, lambda _old, new: self._on_change(new), self._on_change)
        CustomKinds(self)
        self._extensions = ExtensionKinds(self)
        self._objects = DynamicClient(self.client.transport, field_manager="storage-version-migrator-controller")
        self._definitions = DynamicClient(self.client.transport, field_manager="migration-runner-controller")

    def _on_change(self, changed: StorageVersionMigration) -> None:
        """Others of the resource may wait for this one."""
        self.queue.add(key_of(changed))
        for other in self._of(changed.spec.resource):
            self.queue.add(key_of(other))

    def _of(self, resource: GroupResource | None) -> list[StorageVersionMigration]:
        return [held for held in self._migrations.store.list() if held.spec.resource == resource]

    async def reconcile(self, key: NamespacedName) -> Result:
        migration = self._migrations.get(key)
        if migration is None or migration.metadata.deletion_timestamp:
            return DONE
        try:
            if is_over(migration):
                await self._finish(migration)
            elif not _is(migration, RUNNING):
                if migration == next_of(self._of(migration.spec.resource)):
                    await self._begin(migration)
            elif not migration.status.resource_version:
                await self._note_version(migration)
            else:
                await self._migrate(migration)
        except errors.NotFound:
            return DONE
        return DONE

    async def _begin(self, migration: StorageVersionMigration) -> None:
        await self._tell_definition(migration, "True", "MigrationRunning", f"Migration {migration.metadata.name} is running")
        await self._write(migration, (RUNNING, "True", "MigrationRunning", running_message(0, 0)))

    async def _finish(self, migration: StorageVersionMigration) -> None:
        if not _is(migration, RUNNING):
            return
        if _is(migration, SUCCEEDED):
            await self._tell_definition(migration, "False", "MigrationSucceeded", "The migration has succeeded")
        else:
            await self._tell_definition(migration, "False", "MigrationFailed", "The migration has failed")
        await self._write(migration, (RUNNING, "False", "MigrationCompleted", "Migration completed"))

    async def _note_version(self, migration: StorageVersionMigration) -> None:
        row = await self._row(migration)
        if row is None:
            if from_rfc3339(migration.metadata.creation_timestamp) + NEW_FOR > self.clock.now():
                raise errors.ServiceUnavailable("resource does not exist in our rest mapper, requeuing to attempt again")
            await self._fail(migration, "resource does not exist in discovery")
        elif not {*VERBS} <= {*row.verbs}:
            named = f"{row.api_version}, Resource={row.plural}"
            await self._fail(migration, f'resource "{named}" does not support discovery operations: [{" ".join(VERBS)}]')
        else:
            page = await self.client.transport.list(Location(row), ListQuery(limit=1, metadata_only=True))
            status = msgspec.structs.replace(migration.status, resource_version=page.resource_version)
            await self.client.update_status(msgspec.structs.replace(migration, status=status))

    async def _row(self, migration: StorageVersionMigration) -> ResourceType | None:
        wanted = migration.spec.resource or GroupResource()
        resource = Resource(wanted.group, wanted.resource)
        if not SCHEME.versions_of(resource):
            await self._extensions.refresh()
        return next(iter(SCHEME.versions_of(resource)), None)

    async def _migrate(self, migration: StorageVersionMigration) -> None:
        row = await self._row(migration)
        if row is None:
            await self._fail(migration, "migration encountered unhandled error: unable to obtain GVR from discovery")
            return
        limit = int(migration.status.resource_version)
        listed = await self._metadata_of(row)
        left = [metadata for metadata in listed if int(metadata["resourceVersion"]) <= limit]
        total = len(listed)
        while left:
            try:
                await self._rewrite(row, left[-1])
            except _AGAIN as error:
                await self._write(migration, (RUNNING, "True", "MigrationRunning", running_message(len(left), total, str(error))))
                raise
            except errors.ApiError as error:
                why = f"{len(left)}/{total} not yet migrated. migration encountered unhandled error: {error}"
                await self._write(
                    migration, (RUNNING, "True", "MigrationRunning", running_message(len(left), total)),
                    (FAILED, "True", "StorageVersionMigrationFailed", why))
                return
            left.pop()
        await self._write(
            migration, (RUNNING, "True", "MigrationRunning", running_message(0, total)),
            (SUCCEEDED, "True", "StorageVersionMigrationSucceeded", "Migration completed"))

    async def _metadata_of(self, row: ResourceType) -> list[JsonObject]:
        found: list[JsonObject] = []
        token = ""
        while True:
            page = await self._objects.list(row, limit=PAGE, continue_token=token, metadata_only=True)
            found += [item["metadata"] for item in page.items]
            token = page.continue_token
            if not token:
                return found

    async def _rewrite(self, row: ResourceType, metadata: JsonObject) -> None:
        """What was written or deleted meanwhile needs no rewriting."""
        key = NamespacedName(metadata.get("namespace", ""), metadata["name"])
        patch = {"apiVersion": row.api_version, "kind": row.kind, "metadata": {"resourceVersion": metadata["resourceVersion"]}}
        try:
            await self._objects.patch(row, key, patch, kind=PatchKind.MERGE)
        except (errors.Conflict, errors.NotFound):
            return

    async def _fail(self, migration: StorageVersionMigration, why: str) -> None:
        await self._write(migration, (FAILED, "True", "StorageVersionMigrationFailed", why))

    async def _write(self, migration: StorageVersionMigration, *told: tuple[str, str, str, str]) -> None:
        conditions = with_conditions(migration.status.conditions, told, to_rfc3339(self.clock.now()))
        if conditions != migration.status.conditions:
            status = msgspec.structs.replace(migration.status, conditions=conditions)
            await self.client.update_status(msgspec.structs.replace(migration, status=status))

    async def _tell_definition(self, migration: StorageVersionMigration, status: str, reason: str, message: str) -> None:
        """Of a custom kind; with the resourceVersion, so that nothing changes between the look and the word."""
        wanted, row = migration.spec.resource or GroupResource(), SCHEME.for_kind(_DEFINITIONS)
        assert row is not None
        key = NamespacedName("", f"{wanted.resource}.{wanted.group}")
        try:
            definition = await self._definitions.get(row, key)
        except errors.NotFound:
            return
        metadata, generation = definition["metadata"], definition["metadata"].get("generation", 0)
        told: JsonObject = {}
        if status == "False":
            held = (definition.get("status") or {}).get("conditions") or ()
            seen = next((one.get("observedGeneration") for one in held if one["type"] == "StorageMigrating"), None)
            if seen == generation:
                told["storedVersions"] = [one["name"] for one in definition["spec"]["versions"] if one.get("storage")]
            if reason == "MigrationSucceeded":
                message += (
                    " and the stored versions have been updated" if told
                    else " but the stored versions have not been updated due to a generation mismatch")
        told["conditions"] = [{
            "type": "StorageMigrating", "status": status, "reason": reason, "message": message, "observedGeneration": generation,
            "lastTransitionTime": to_rfc3339(self.clock.now()),
        }]
        applied: dict[str, Any] = {
            "apiVersion": _DEFINITIONS.api_version, "kind": _DEFINITIONS.kind,
            "metadata": {"name": metadata["name"], "resourceVersion": metadata["resourceVersion"]}, "status": told,
        }
        await self._definitions.patch(row, key, applied, kind=PatchKind.APPLY, subresource="status", force=True)


def is_over(migration: StorageVersionMigration) -> bool:
    return _is(migration, SUCCEEDED) or _is(migration, FAILED)


def next_of(migrations: Sequence[StorageVersionMigration]) -> StorageVersionMigration | None:
    """Of one resource: which may begin. None while one runs; else the oldest that is not over."""
    if any(_is(one, RUNNING) and not is_over(one) for one in migrations):
        return None
    waiting = [one for one in migrations if not is_over(one) and not _is(one, RUNNING)]
    return min(waiting, key=lambda one: (one.metadata.creation_timestamp, one.metadata.name), default=None)


def running_message(left: int, total: int, trouble: str = "") -> str:
    said = "The migration is running"
    if total:
        said += f", {left}/{total} objects not yet migrated" if left else f", {total} objects verified migrated"
    return f"{said}; transient error: {trouble}" if trouble else said


def with_conditions(
    held: Sequence[Condition], told: Sequence[tuple[str, str, str, str]], now: str
) -> tuple[Condition, ...]:
    conditions = {one.type: one for one in held}
    for kind, status, reason, message in told:
        old = conditions.get(kind)
        since = old.last_transition_time if old is not None and old.status == status else now
        conditions[kind] = Condition(type=kind, status=status, reason=reason, message=message, last_transition_time=since)
    return tuple(conditions.values())


def _is(migration: StorageVersionMigration, kind: str) -> bool:
    return any(one.type == kind and one.status == "True" for one in migration.status.conditions)
