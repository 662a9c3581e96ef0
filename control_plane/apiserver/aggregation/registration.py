"""APIServices of what is served here. Follows kube-aggregator's autoregister and crdregistration controllers.

Those of built-in groups are seen to once, when the apiserver starts; those of custom kinds follow the definitions. The label says which,
and an APIService without it is somebody's own: it is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from control_plane.apiserver.aggregation.priorities import BUILT_IN, CUSTOM, Priority
from control_plane.apiserver.aggregation.targets import api_service_row
from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.options import DeleteOptions, WriteOptions
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.errors import StorageError
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import AlreadyExists, ApiError, Conflict, NotFound
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupVersion, Scheme
from kube.process.log import get_logger

log = get_logger("aggregation")

LABEL: Final = "kube-aggregator.kubernetes.io/automanaged"
ON_START: Final = "onstart"
ALWAYS: Final = "true"
RETRY_S: Final = 0.5


class Plan(NamedTuple):
    """What is to be done, in this order; `delete` holds names."""

    create: list[JsonObject]
    update: list[JsonObject]
    delete: list[str]


def local_service(group_version: GroupVersion, priority: Priority, label: str) -> JsonObject:
    return {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": f"{group_version.version}.{group_version.group}", "labels": {LABEL: label}},
        "spec": {
            "group": group_version.group, "version": group_version.version, "groupPriorityMinimum": priority.group,
            "versionPriority": priority.version,
        },
    }


def served_by(definitions: Iterable[JsonObject]) -> set[GroupVersion]:
    """What the CustomResourceDefinitions that are established serve."""
    found = set()
    for crd in definitions:
        conditions = (crd.get("status") or {}).get("conditions") or ()
        if any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions):
            found |= {GroupVersion(crd["spec"]["group"], one["name"]) for one in crd["spec"]["versions"] if one.get("served")}
    return found


def plan(wanted: Iterable[JsonObject], held: Iterable[JsonObject], label: str) -> Plan:
    """`label`: of those that are looked after in this round."""
    desired, create, update = {one["metadata"]["name"]: one for one in wanted}, [], []
    present = {one["metadata"]["name"]: one for one in held}
    for name, one in desired.items():
        existing = present.get(name)
        if existing is None:
            create.append(one)
        elif _label(existing) in (ON_START, ALWAYS) and (existing.get("spec") != one["spec"] or _label(existing) != label):
            update.append(one)
    return Plan(create, update, [name for name, one in present.items() if _label(one) == label and name not in desired])


def _label(obj: JsonObject) -> str:
    return str((obj["metadata"].get("labels") or {}).get(LABEL, ""))


class LocalServices:
    def __init__(self, cache: WatchCache, scheme: Scheme, writer: Writer, deleter: Deleter) -> None:
        self._cache = cache
        self._row = api_service_row(scheme)
        definitions = scheme.for_path("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        assert definitions is not None
        self._definitions = definitions
        self._built_in = [one for one in scheme.group_versions() if one in BUILT_IN]
        self._writer = writer
        self._deleter = deleter
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Something changed among definitions or APIServices."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        built_in = [local_service(one, BUILT_IN[one], ON_START) for one in self._built_in]
        while not await self._carry_out(plan(built_in, self._held(), ON_START)):
            await asyncio.sleep(RETRY_S)
            with suppress(ApiError):      # then with what the cache has
                await self._cache.fresh()
        while True:
            self._changed.clear()
            if await self._carry_out(plan(self._custom(), self._held(), ALWAYS)):
                await self._changed.wait()
            else:
                await asyncio.sleep(RETRY_S)

    def _held(self) -> list[JsonObject]:
        return [item.obj for item in self._cache.list(self._row)[0]]

    def _custom(self) -> list[JsonObject]:
        served = served_by(item.obj for item in self._cache.list(self._definitions)[0])
        return [local_service(one, CUSTOM, ALWAYS) for one in sorted(served) if one not in BUILT_IN]

    async def _carry_out(self, todo: Plan) -> bool:
        """Whether nothing is left to be tried again."""
        try:
            for obj in todo.create:
                await self._create(obj)
            for obj in todo.update:
                await self._update(obj)
            for name in todo.delete:
                await self._delete(name)
        except (ApiError, StorageError) as error:
            log.warning("cannot register a group that is served here, trying again", error=str(error))
            return False
        return True

    async def _create(self, obj: JsonObject) -> None:
        try:
            await self._writer.create(Call(APISERVER_USER, "create", self._row), obj, WriteOptions(field_manager="kube-apiserver"))
        except AlreadyExists:
            return      # another apiserver was first

    async def _update(self, wanted: JsonObject) -> None:
        def change(held: JsonObject) -> JsonObject:
            held["spec"] = wanted["spec"]
            held["metadata"]["labels"] = {**(held["metadata"].get("labels") or {}), **wanted["metadata"]["labels"]}
            return held

        call = Call(APISERVER_USER, "update", self._row, "", wanted["metadata"]["name"])
        try:
            await self._writer.change(call, change, WriteOptions(field_manager="kube-apiserver"))
        except NotFound:
            return

    async def _delete(self, name: str) -> None:
        item = self._cache.get(self._row, NamespacedName("", name))
        if item is None:
            return
        options = DeleteOptions(uid=item.obj["metadata"].get("uid", ""))
        try:
            await self._deleter.delete(Call(APISERVER_USER, "delete", self._row, "", name), options)
        except (NotFound, Conflict):
            return
