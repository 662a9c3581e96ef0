"""A request -> its FlowSchema -> a place of its priority level: at once, after a while in a queue, or none (429, Retry-After).

What is configured is read from the cache's FlowSchemas and PriorityLevelConfigurations, and from defaults.py where they are missing.
Long-running requests take no place, as upstream has it once they have begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.flow.defaults import CATCH_ALL, EXEMPT, default_levels, default_schemas
from control_plane.apiserver.flow.levels import Full, Level, share_out
from control_plane.apiserver.flow.schemas import FlowSchema
from control_plane.apiserver.request_info import RequestInfo
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import TooManyRequests
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import Scheme

GROUP: Final = "flowcontrol.apiserver.k8s.io"
WAIT_S: Final = 15.0            # a quarter of the request's own time, as upstream has it
_REMEMBERED: Final = 4096
_LONGEST: Final = 512
_Key = tuple[str, tuple[str, ...], str, str, str, str, str, str]


class FlowControl:
    """`read_only` + `mutating`: how many requests at once, of all priorities together."""

    def __init__(self, read_only: int, mutating: int, *, wait_s: float = WAIT_S) -> None:
        self._total = read_only + mutating
        self._wait_s = wait_s
        self.in_flight = {False: 0, True: 0}
        self._stored: dict[str, dict[str, JsonObject]] = {"flowschemas": {}, "prioritylevelconfigurations": {}}
        self._levels: dict[str, Level] = {}
        self._schemas: list[FlowSchema] = []
        self._known: dict[_Key, FlowSchema] = {}
        self._follow()

    def attach(self, cache: WatchCache, scheme: Scheme) -> None:
        for plural, held in self._stored.items():
            row = scheme.for_path(GROUP, "v1", plural)
            assert row is not None

            def on_event(event: CacheEvent, held: dict[str, JsonObject] = held) -> None:
                if event.type == "DELETED":
                    held.pop(event.object.name, None)
                else:
                    held[event.object.name] = event.object.obj
                self._follow()

            def on_reset(objects: Iterable[CachedObject], held: dict[str, JsonObject] = held) -> None:
                held.clear()
                held.update((item.name, item.obj) for item in objects)
                self._follow()

            cache.observe(row, on_event, on_reset)

    @staticmethod
    def takes_place(info: RequestInfo) -> bool:
        return not info.long_running

    async def enter(self, info: RequestInfo, user: UserInfo) -> Level:
        """The level that gave a place; `leave` must follow. Raises TooManyRequests."""
        schema = self._schema(info, user)
        level = self._levels.get(schema.level) or self._levels[CATCH_ALL]
        info.flow = (schema.uid, level.uid)
        if level.seats is None or (not level.waiting and self._has_seat(level)):
            level.executing += 1
        else:
            try:
                async with asyncio.timeout(self._wait_s):
                    await level.wait(f"{schema.name} {schema.flow_of(info, user)}")
            except (Full, TimeoutError) as error:
                self._admit_waiting()      # its turn may just have come
                raise TooManyRequests("Too many requests, please try again later.", retry_after_s=1) from error
            except asyncio.CancelledError:
                self._admit_waiting()
                raise
        self.in_flight[info.mutating and info.is_resource] += 1
        return level

    def leave(self, info: RequestInfo, level: Level) -> None:
        self.in_flight[info.mutating and info.is_resource] -= 1
        level.executing -= 1
        if level.seats is not None:
            self._admit_waiting()

    def _admit_waiting(self) -> None:
        """Own seats first, then what is lent."""
        waiting = [level for level in self._levels.values() if level.waiting and level.seats is not None]
        for level in waiting:
            while level.waiting and level.executing < (level.seats or 0):
                level.admit_next()
        for level in waiting:
            while level.waiting and self._has_seat(level):
                level.admit_next()

    def _has_seat(self, level: Level) -> bool:
        assert level.seats is not None
        if level.executing < level.seats:
            return True
        if level.executing >= level.most:
            return False
        limited = [other for other in self._levels.values() if other.seats is not None]
        held = sum(other.executing for other in limited)
        idle = sum(max(0, other.kept - other.executing) for other in limited if other is not level)
        return held + idle < self._total

    def _schema(self, info: RequestInfo, user: UserInfo) -> FlowSchema:
        where = "" if info.is_resource else info.path
        key = (user.name, user.groups, info.verb, info.group, info.resource, info.subresource, info.namespace, where)
        found = self._known.get(key)
        if found is None:
            found = next((schema for schema in self._schemas if schema.matches(info, user)), self._schemas[-1])
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            if len(where) + len(info.resource) + len(info.namespace) <= _LONGEST:      # a path may have 64 KiB, and anybody may ask for it
                self._known[key] = found
        return found

    def _follow(self) -> None:
        schemas, levels = self._stored["flowschemas"], self._stored["prioritylevelconfigurations"]
        wanted_schemas = {obj["metadata"]["name"]: obj for obj in default_schemas()}
        wanted_levels = {obj["metadata"]["name"]: obj for obj in default_levels()}
        if schemas:
            wanted_schemas = {name: wanted_schemas[name] for name in (EXEMPT, CATCH_ALL)} | schemas
            wanted_levels = {name: wanted_levels[name] for name in (EXEMPT, CATCH_ALL)} | levels
        for name, obj in wanted_levels.items():
            self._levels.setdefault(name, Level(name)).configure(obj)
        for name in [name for name in self._levels if name not in wanted_levels]:
            if not self._levels[name].waiting and not self._levels[name].executing:
                del self._levels[name]
            else:
                self._levels[name].shares = 0      # goes when its last request is done and something changes again
        share_out(self._levels.values(), self._total)
        made = [FlowSchema(obj) for obj in wanted_schemas.values()]
        self._schemas = sorted(made, key=lambda schema: (schema.precedence, schema.name))
        self._known.clear()
        self._admit_waiting()      # there may be more seats than before
