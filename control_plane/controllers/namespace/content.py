"""What a namespace holds, and deleting it. Follows upstream's namespaced_resources_deleter.go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from control_plane.controllers.namespace.conditions import Remaining
from kube.apimachinery import errors
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType
from kube.client.client import Client

AT_ONCE: Final = 8


def deletable(rows: Iterable[ResourceType], *, namespaced: bool | None = None) -> list[ResourceType]:
    """Resources whose objects can be listed and deleted: one row per stored object, however many versions serve it."""
    found: dict[object, ResourceType] = {}
    for row in rows:
        if namespaced is not None and row.namespaced is not namespaced:
            continue
        if {"list", "watch", "delete"} <= {*row.verbs}:
            found.setdefault(row.storage_identity, row)
    return [*found.values()]


async def delete_content(client: Client, namespace: str) -> Remaining:
    """Asks for the deletion of everything; says what is left. Pods go first: what they use must not vanish under them."""
    rows = deletable(SCHEME, namespaced=True)
    pods = [row for row in rows if not row.group and row.plural == "pods"]
    remaining = Remaining()
    await _delete_all(client, namespace, pods, remaining)
    if remaining.nothing:
        await _delete_all(client, namespace, [row for row in rows if row not in pods], remaining)
    return remaining


async def _delete_all(client: Client, namespace: str, rows: Iterable[ResourceType], remaining: Remaining) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def delete(row: ResourceType) -> None:
        async with limit:
            try:
                await _delete_kind(client, namespace, row, remaining)
            except errors.ApiError as error:
                remaining.errors.append(str(error))

    await asyncio.gather(*(delete(row) for row in rows))


async def _delete_kind(client: Client, namespace: str, row: ResourceType, remaining: Remaining) -> None:
    held = await client.dynamic.list(row, namespace, metadata_only=True)
    if not held.items:
        return
    await client.dynamic.delete_collection(row, namespace, propagation_policy="Background")
    held = await client.dynamic.list(row, namespace, metadata_only=True)
    if not held.items:
        return
    remaining.resources[f"{row.plural}.{row.group}"] = len(held.items)
    for obj in held.items:
        for finalizer in obj["metadata"].get("finalizers") or ():
            remaining.finalizers[finalizer] = remaining.finalizers.get(finalizer, 0) + 1
