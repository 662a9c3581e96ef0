"""Storage version migrations: whose turn it is, and what is said of their way."""

from __future__ import annotations

import pytest

from control_plane.controllers.storage_version_migration import StorageVersionMigrator, next_of, running_message, with_conditions
from kube.api.core_v1 import ConfigMap
from kube.api.meta_v1 import Condition, GroupResource, ObjectMeta
from kube.api.storagemigration_v1 import StorageVersionMigration, StorageVersionMigrationSpec, StorageVersionMigrationStatus
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from tests.support.controllers import eventually, memory_client, running

MAPS = GroupResource(group="", resource="configmaps")


def migration(name: str, *true: str, minute: int = 0, resource: GroupResource = MAPS) -> StorageVersionMigration:
    return StorageVersionMigration(
        metadata=ObjectMeta(name=name, creation_timestamp=f"2026-11-20T12:{minute:02}:00Z"),
        spec=StorageVersionMigrationSpec(resource=resource),
        status=StorageVersionMigrationStatus(conditions=tuple(Condition(type=kind, status="True") for kind in true)))


@pytest.mark.parametrize(("held", "expected"), [
    pytest.param([migration("b"), migration("a")], "a", id="of one age, by name"),
    pytest.param([migration("a", minute=1), migration("b")], "b", id="the oldest"),
    pytest.param([migration("a", "Succeeded"), migration("b", "Failed"), migration("c", minute=9)], "c", id="not those that are over"),
    pytest.param([migration("a"), migration("b", "Running")], None, id="none while one runs"),
    pytest.param([migration("a"), migration("b", "Running", "Succeeded")], "a", id="one that is over runs no more"),
    pytest.param([], None, id="none"),
])
def test_one_runs_at_a_time(held: list[StorageVersionMigration], expected: str | None) -> None:
    found = next_of(held)
    assert (found.metadata.name if found else None) == expected


def test_how_far_it_is() -> None:
    assert running_message(0, 0) == "The migration is running"
    assert running_message(3, 9) == "The migration is running, 3/9 objects not yet migrated"
    assert running_message(0, 9) == "The migration is running, 9 objects verified migrated"
    assert running_message(3, 9, "busy") == "The migration is running, 3/9 objects not yet migrated; transient error: busy"


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    held = (Condition(type="Running", status="True", reason="r", message="m", last_transition_time="then"),)

    same = with_conditions(held, [("Running", "True", "r", "further")], "now")
    turned = with_conditions(held, [("Running", "False", "r", "m"), ("Succeeded", "True", "s", "m")], "now")

    assert [(one.message, one.last_transition_time) for one in same] == [("further", "then")]
    assert [(one.type, one.last_transition_time) for one in turned] == [("Running", "now"), ("Succeeded", "now")]


async def reasons(client: Client, name: str) -> dict[str, str]:
    held = await client.get(StorageVersionMigration, NamespacedName("", name))
    return {one.type: one.message for one in held.status.conditions if one.status == "True"}


async def test_an_object_that_is_refused_fails_the_migration_and_a_busy_server_does_not() -> None:
    client, transport = memory_client()
    await client.create(ConfigMap(metadata=ObjectMeta(namespace="default", name="a")))
    patch, answers = transport.patch, [errors.TooManyRequests("busy"), errors.Forbidden("no")]

    async def failing(*arguments: object) -> bytes:
        if answers:
            raise answers.pop(0)
        return await patch(*arguments)  # type: ignore[arg-type]

    transport.patch = failing  # type: ignore[method-assign,assignment]
    async with running(client, StorageVersionMigrator):
        await client.create(migration("refused"))

        async def failed() -> bool:
            return (await reasons(client, "refused")) == {
                "Failed": "1/1 not yet migrated. migration encountered unhandled error: no"}

        await eventually(failed, what="it fails with the reason")
        await client.create(migration("next"))

        async def succeeded() -> bool:
            return (await reasons(client, "next")) == {"Succeeded": "Migration completed"}

        await eventually(succeeded, what="the next one succeeds")


async def test_a_kind_that_is_not_there_yet_is_waited_for() -> None:
    client, _ = memory_client()
    async with running(client, StorageVersionMigrator):
        await client.create(migration("early", resource=GroupResource(group="example.com", resource="things")))

        async def waits() -> bool:
            return (await reasons(client, "early")) == {"Running": "The migration is running"}

        await eventually(waits, what="it begins, and waits for its kind")
