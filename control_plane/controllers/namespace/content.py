"""What a namespace holds, and deleting it. Follows upstream's namespaced_resources_deleter.go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from typing import Final

from control_plane.controllers.namespace.conditions import Remaining
from kube.apimachinery import errors
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersion, ResourceType
from kube.client.client import Client

AT_ONCE: Final = 8


def deletable(
    rows: Iterable[ResourceType], *, namespaced: bool | None = None, verbs: Set[str] = frozenset({"list", "watch", "delete"})
) -> list[ResourceType]:
    """Resources that know these verbs: one row per stored object, however many versions serve it."""
    found: dict[object, ResourceType] = {}
    for row in rows:
        if namespaced is not None and row.namespaced is not namespaced:
            continue
        if verbs <= {*row.verbs}:
            found.setdefault(row.storage_identity, row)
    return [*found.values()]


async def delete_content(client: Client, namespace: str, unknown: Mapping[GroupVersion, str]) -> Remaining:
    """Asks for the deletion of everything; says what is left. Pods go first: what they use must not vanish under them.

    `unknown`: group versions whose kinds cannot be told now, and why.
    """
    remaining = Remaining(unknown={str(group_version): why for group_version, why in unknown.items()})
    rows = [row for row in deletable(SCHEME, namespaced=True, verbs=frozenset({"list", "delete"})) if row.group_version not in unknown]
    pods = [row for row in rows if not row.group and row.plural == "pods"]
    await _delete_all(client, namespace, pods, remaining)
    if not remaining.resources:
        await _delete_all(client, namespace, [row for row in rows if row not in pods], remaining)
    return remaining


async def _delete_all(client: Client, namespace: str, rows: Iterable[ResourceType], remaining: Remaining) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def delete(row: ResourceType) -> None:
        async with limit:
            try:
                await _delete_kind(client, namespace, row, remaining)
            except (errors.NotFound, errors.MethodNotAllowed):
                return      # no longer served
            except errors.ApiError as error:
                remaining.errors.append(str(error))

    await asyncio.gather(*(delete(row) for row in rows))


async def _delete_kind(client: Client, namespace: str, row: ResourceType, remaining: Remaining) -> None:
    held = await client.dynamic.list(row, namespace, metadata_only=True)
    if not held.items:
        return
    if "deletecollection" in row.verbs:
        await client.dynamic.delete_collection(row, namespace, propagation_policy="Background")
    else:
        await _delete_each(client, row, held.items)
    held = await client.dynamic.list(row, namespace, metadata_only=True)
    if not held.items:
        return
    remaining.resources[f"{row.plural}.{row.group}"] = len(held.items)
    for obj in held.items:
        for finalizer in obj["metadata"].get("finalizers") or ():
            remaining.finalizers[finalizer] = remaining.finalizers.get(finalizer, 0) + 1


async def _delete_each(client: Client, row: ResourceType, objects: Iterable[JsonObject]) -> None:
    for obj in objects:
        with suppress(errors.NotFound, errors.MethodNotAllowed):
            await client.dynamic.delete(row, NamespacedName.of(obj), propagation_policy="Background")
