"""Keeps the FlowSchemas and PriorityLevelConfigurations a cluster starts with, and says of each FlowSchema whether its level exists.

Follows registry/flowcontrol/ensurer and the Dangling condition of apiserver's apf_controller.go. Every apiserver does it; who is second
finds nothing to do. Mandatory ones ("exempt", "catch-all") always have their spec, suggested ones as long as their annotation says so.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.flow.defaults import CATCH_ALL, EXEMPT, default_levels, default_schemas
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.object_meta import deep_copy
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.errors import StorageError
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import AlreadyExists, ApiError
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupVersionKind, ResourceType, Scheme
from kube.process.clock import Clock, to_rfc3339
from kube.process.log import get_logger

log = get_logger("flow-control-objects")

INTERVAL_S: Final = 10.0
AUTO_UPDATE: Final = "apf.kubernetes.io/autoupdate-spec"
FLOW_SCHEMA: Final = "FlowSchema"
PRIORITY_LEVEL: Final = "PriorityLevelConfiguration"
_MANDATORY: Final = frozenset({EXEMPT, CATCH_ALL})
_SPEC_MANAGER: Final = "api-priority-and-fairness-config-producer-v1"
_STATUS_MANAGER: Final = "api-priority-and-fairness-config-consumer-v1"


class FlowControlKeeper:
    def __init__(self, writer: Writer, cache: WatchCache, scheme: Scheme, clock: Clock) -> None:
        self._writer = writer
        self._cache = cache
        self._clock = clock
        self._rows = {kind: _row(scheme, kind) for kind in (FLOW_SCHEMA, PRIORITY_LEVEL)}

    async def run(self) -> None:
        while True:
            try:
                await self.step()
            except ApiError as error:      # a cache that cannot catch up in time, for one: no reason for the apiserver to end
                log.info("not looked after, trying again later", error=error.message)
            await self._clock.sleep(INTERVAL_S)

    async def step(self) -> None:
        for wanted in map(deep_copy, (*default_levels(), *default_schemas())):
            await self._attempt(wanted["metadata"]["name"], wanted["kind"], self._keep(wanted))
        await self._cache.fresh()
        levels = {item.name for item in self._cache.list(self._rows[PRIORITY_LEVEL])[0]}
        for item in self._cache.list(self._rows[FLOW_SCHEMA])[0]:
            condition = dangling(item.obj, levels, to_rfc3339(self._clock.now()))
            if condition is not None:
                await self._attempt(item.name, FLOW_SCHEMA, self._tell(item.name, condition))

    async def _attempt(self, name: str, kind: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (ApiError, StorageError) as error:
            log.info("not kept, trying again later", kind=kind, name=name, error=str(error))

    async def _keep(self, wanted: JsonObject) -> None:
        row, name = self._rows[wanted["kind"]], wanted["metadata"]["name"]
        item = self._cache.get(row, NamespacedName("", name))
        if item is None:
            try:
                await self._writer.create(Call(APISERVER_USER, "create", row), wanted, WriteOptions(field_manager=_SPEC_MANAGER))
            except AlreadyExists:
                return      # another apiserver was first
        elif (kept := kept_object(item.obj, wanted)) is not None:
            call = Call(APISERVER_USER, "update", row, name=name)
            await self._writer.update(call, kept, WriteOptions(field_manager=_SPEC_MANAGER))

    async def _tell(self, name: str, condition: JsonObject) -> None:
        def change(obj: JsonObject) -> JsonObject:
            status = obj.setdefault("status", {})
            others = [one for one in status.get("conditions") or () if one.get("type") != condition["type"]]
            status["conditions"] = [*others, condition]
            return obj

        call = Call(APISERVER_USER, "update", self._rows[FLOW_SCHEMA], name=name, subresource="status")
        await self._writer.change(call, change, WriteOptions(field_manager=_STATUS_MANAGER))


def _row(scheme: Scheme, kind: str) -> ResourceType:
    row = scheme.for_kind(GroupVersionKind("flowcontrol.apiserver.k8s.io", "v1", kind))
    assert row is not None
    return row


def kept_object(held: JsonObject, wanted: JsonObject) -> JsonObject | None:
    """What `held` has to become, None where it may stay: a spec that was changed, an annotation that is missing or says nothing."""
    name, metadata = wanted["metadata"]["name"], held["metadata"]
    annotations = metadata.get("annotations") or {}
    said = annotations.get(AUTO_UPDATE)
    follows = name in _MANDATORY or (said == "true" if said in {"true", "false"} else metadata.get("generation", 1) == 1)
    value = "true" if follows else "false"
    spec = wanted["spec"] if follows and not _equal(held, wanted) else held.get("spec")
    if said == value and spec == held.get("spec"):
        return None
    return {**held, "metadata": {**metadata, "annotations": {**annotations, AUTO_UPDATE: value}}, "spec": spec}


def _equal(held: JsonObject, wanted: JsonObject) -> bool:
    """Users decide how much the exempt level may lend, and of how much."""
    mine, theirs = wanted["spec"], held.get("spec") or {}
    if mine.get("type") == "Exempt":
        mine, theirs = ({key: value for key, value in one.items() if key != "exempt"} for one in (mine, theirs))
    return bool(mine == theirs)


def dangling(schema: JsonObject, levels: set[str], now: str) -> JsonObject | None:
    """The condition that a FlowSchema lacks; None when it has the right one."""
    level = ((schema.get("spec") or {}).get("priorityLevelConfiguration") or {}).get("name") or ""
    found = level in levels
    ending = "and it exists" if found else "but there is no such object"
    wanted = {
        "type": "Dangling", "status": "False" if found else "True", "reason": "Found" if found else "NotFound",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" {ending}',
    }
    held: JsonObject = next((one for one in (schema.get("status") or {}).get("conditions") or () if one.get("type") == "Dangling"), {})
    if all(held.get(key) == value for key, value in wanted.items()):
        return None
    return {**wanted, "lastTransitionTime": now if held.get("status") != wanted["status"] else held.get("lastTransitionTime", now)}
