"""StorageVersionMigrations: objects of a custom kind are stored anew, in a real apiserver over etcd."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from control_plane.controllers.storage_version_migration import StorageVersionMigrator
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from tests.support.api_calls import Api
from tests.support.apiserver import RunningApiserver
from tests.support.controllers import eventually, running

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MIGRATIONS = "/apis/storagemigration.k8s.io/v1/storageversionmigrations"
GROUP = "migrated.example.com"
WITHIN_S = 60.0


def version(name: str, *, storage: bool) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"name": name, "served": True, "storage": storage, "schema": schema}


def migration(name: str, resource: str = "widgets", group: str = GROUP) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"resource": {"group": group, "resource": resource}}}


async def conditions(api: Api, name: str) -> dict[str, tuple[str, str, str]]:
    _, held = await api.get(f"{MIGRATIONS}/{name}")
    found = (held.get("status") or {}).get("conditions") or ()
    return {one["type"]: (one["status"], one["reason"], one["message"]) for one in found}


async def is_over(api: Api, name: str) -> bool:
    held = await conditions(api, name)
    return held.get("Running", ("",))[0] == "False" if "Succeeded" in held else "Failed" in held


async def resource_version(api: Api) -> str:
    _, held = await api.get(f"/apis/{GROUP}/v1/namespaces/default/widgets/a")
    return str(held["metadata"]["resourceVersion"])


async def test_custom_objects_move_to_the_storage_version(server: RunningApiserver, api: Api) -> None:
    name = f"widgets.{GROUP}"
    _, made = await api.post(DEFINITIONS, {"metadata": {"name": name}, "spec": {
        "group": GROUP, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [version("v1", storage=True), version("v2", storage=False)]}})

    async def served() -> bool:
        code, _ = await api.post(f"/apis/{GROUP}/v1/namespaces/default/widgets", {
            "apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": "a"}})
        return code in (201, 409)

    await eventually(served, within_s=WITHIN_S, what="the kind is served")
    turned = {"spec": {"versions": [version("v1", storage=False), version("v2", storage=True)]}}
    code, turned_definition = await api.patch(f"{DEFINITIONS}/{name}", turned)
    assert (code, turned_definition["status"]["storedVersions"]) == (200, ["v1", "v2"]), made

    before = await resource_version(api)
    async with Client(GrpcTransport(server.access())) as client, running(client, StorageVersionMigrator):
        await api.post(MIGRATIONS, migration("first"))
        await api.post(MIGRATIONS, migration("second"))
        for one in ("first", "second"):
            await eventually(partial(is_over, api, one), within_s=WITHIN_S, what=f"the {one} is over")

        async def told() -> bool:
            _, definition = await api.get(f"{DEFINITIONS}/{name}")
            status = definition["status"]
            migrating = [one["reason"] for one in status["conditions"] if one["type"] == "StorageMigrating"]
            return (status["storedVersions"], migrating) == (["v2"], ["MigrationSucceeded"])

        await eventually(told, within_s=WITHIN_S, what="the definition says so")
    assert (await conditions(api, "first")) == {
        "Running": ("False", "MigrationCompleted", "Migration completed"),
        "Succeeded": ("True", "StorageVersionMigrationSucceeded", "Migration completed"),
    }
    assert await resource_version(api) != before, "nobody changed it, and yet it was written"


async def test_what_cannot_be_rewritten_fails_with_its_reason(server: RunningApiserver, api: Api) -> None:
    async with Client(GrpcTransport(server.access())) as client, running(client, StorageVersionMigrator):
        await api.post(MIGRATIONS, migration("reviews", "tokenreviews", "authentication.k8s.io"))
        await api.post(MIGRATIONS, migration("maps", "configmaps", ""))
        for one in ("reviews", "maps"):
            await eventually(partial(is_over, api, one), within_s=WITHIN_S, what=f"{one} is over")

    assert (await conditions(api, "reviews"))["Failed"] == (
        "True", "StorageVersionMigrationFailed",
        'resource "authentication.k8s.io/v1, Resource=tokenreviews" does not support discovery operations: [update patch list]')
    assert "Succeeded" in await conditions(api, "maps")
