"""Looks after the servers behind APIServices: can they be reached, and what do they serve?

One task per APIService: check, write the condition if it changed, wait for a change of anything that matters, or a while.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from control_plane.apiserver.aggregation.availability import (
    PASSED,
    Verdict,
    failed_discovery,
    says,
    service_problem,
    set_condition,
)
from control_plane.apiserver.aggregation.targets import Target, Targets, api_service_row
from control_plane.apiserver.aggregation.trust import Contexts
from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.dialing import SERVICE_LABEL, Address, Services, Unreachable
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.compare_and_swap import CompareAndSwap
from control_plane.apiserver.registry.object_meta import deep_copy
from control_plane.storage.cached_object import CachedObject, encode_value
from control_plane.storage.errors import StorageError
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key
from control_plane.storage.subscription import CacheEvent
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, NotFound
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import ResourceType, Scheme
from kube.client.http_connection import HttpServer
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("aggregation")

CHECK_EVERY_S: Final = 30.0
_FIRST_RETRY_S: Final = 0.1
_REQUEST_S: Final = 5.0
_ATTEMPTS: Final = 5                      # a Service may have dead endpoints among good ones
_LARGEST: Final = 16 * 1024 * 1024        # bytes of an answer
_HEADERS: Final = {"X-Remote-User": "system:kube-aggregator", "X-Remote-Group": "system:masters", "Accept": "application/json"}


class _Failed(Exception):
    """A request without a good answer; the text is upstream's."""


class Checker:
    def __init__(
        self, store: EtcdStore, cache: WatchCache, swap: CompareAndSwap, scheme: Scheme, targets: Targets, services: Services,
        contexts: Contexts, clock: Clock,
    ) -> None:
        self._store = store
        self._cache = cache
        self._swap = swap
        self._targets = targets
        self._services = services
        self._contexts = contexts
        self._clock = clock
        self._row = api_service_row(scheme)
        self._service_row = _row(scheme, "", "services")
        self._slice_row = _row(scheme, "discovery.k8s.io", "endpointslices")
        self._wakes: dict[str, asyncio.Event] = {}
        self._places: dict[str, tuple[object, ...]] = {}
        self._changed = asyncio.Event()

    def attach(self) -> None:
        self._targets.listen(self._on_target)
        self._cache.observe(self._service_row, self._on_service, _nothing)
        self._cache.observe(self._slice_row, self._on_slice, _nothing)

    async def run(self) -> None:
        """Until cancelled."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._changed.clear()
                names = {target.name for target in self._targets}
                for name in [name for name, task in tasks.items() if name not in names or task.done()]:
                    tasks.pop(name).cancel()
                    del self._wakes[name]
                for name in names - tasks.keys():
                    self._wakes[name] = asyncio.Event()
                    tasks[name] = asyncio.create_task(self._look_after(name), name=f"availability of {name}")
                await self._changed.wait()
        finally:
            for task in tasks.values():
                task.cancel()

    def _on_target(self, name: str) -> None:
        target = self._targets.named(name)
        place = target.place if target else None
        if self._places.get(name) == place:
            return      # only its status, most likely our own word
        if place is None:
            del self._places[name]
        else:
            self._places[name] = place
        self._changed.set()
        if wake := self._wakes.get(name):
            wake.set()

    def _on_service(self, event: CacheEvent) -> None:
        if self._targets:
            self._wake(event.object.namespace, event.object.name)

    def _on_slice(self, event: CacheEvent) -> None:
        if self._targets:
            labels = event.object.obj["metadata"].get("labels") or {}
            self._wake(event.object.namespace, labels.get(SERVICE_LABEL, ""))

    def _wake(self, namespace: str, service: str) -> None:
        for target in self._targets:
            if (target.namespace, target.service) == (namespace, service) and (wake := self._wakes.get(target.name)):
                wake.set()

    async def _look_after(self, name: str) -> None:
        pause, wake = _FIRST_RETRY_S, self._wakes[name]
        while (target := self._targets.named(name)) is not None:
            wake.clear()
            try:
                verdict = await self._check(target)
                await self._write(target, verdict)
                pause = CHECK_EVERY_S if verdict.good or verdict.reason != "FailedDiscoveryCheck" else min(pause * 2, CHECK_EVERY_S)
            except NotFound:
                return
            except (ApiError, StorageError) as error:
                log.warning("cannot look after an APIService, trying again", name=name, error=str(error))
                pause = min(pause * 2, CHECK_EVERY_S)
            except Exception:      # whatever a server answered: the others must not suffer
                log.exception("cannot look after an APIService, trying again", name=name)
                pause = min(pause * 2, CHECK_EVERY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await wake.wait()
                    pause = _FIRST_RETRY_S

    async def _check(self, target: Target) -> Verdict:
        service = self._cache.get(self._service_row, NamespacedName(target.namespace, target.service))
        problem = service_problem(
            target.namespace, target.service, target.port, service.obj if service else None, self._slices(target))
        if problem is not None:
            self._learned(target, None, None)
            return problem
        try:
            resources, address = await self._discover(target)
        except _Failed as error:
            self._learned(target, None, None)
            return failed_discovery(str(error))
        self._learned(target, resources, await self._openapi_hash(target, address))
        return PASSED

    def _learned(self, target: Target, resources: list[JsonObject] | None, openapi_hash: str | None) -> None:
        current = self._targets.named(target.name)
        if current is not None and current.place == target.place:
            self._targets.learned(current, resources, openapi_hash)

    def _slices(self, target: Target) -> list[JsonObject]:
        items, _ = self._cache.list(self._slice_row, target.namespace)
        return [item.obj for item in items if (item.obj["metadata"].get("labels") or {}).get(SERVICE_LABEL) == target.service]

    async def _discover(self, target: Target) -> tuple[list[JsonObject], Address]:
        """Its resources, and where it answered. Raises _Failed."""
        try:
            return await self._attempt(target)
        except _Failed:
            last: _Failed | None = None
        for attempt in asyncio.as_completed([self._attempt(target) for _ in range(_ATTEMPTS - 1)]):
            try:
                found = await attempt
            except _Failed as error:
                last = error
            else:
                last = None
                break
        if last is not None:
            raise last
        return found

    async def _attempt(self, target: Target) -> tuple[list[JsonObject], Address]:
        try:
            address = self._services.resolve(target.namespace, target.service, target.port)
        except (ApiError, Unreachable) as error:
            raise _Failed(str(error)) from error
        body = await self._get(address, f"/apis/{target.group_version}")
        try:
            listed = msgspec.json.decode(body)
            return [one for one in listed.get("resources") or () if isinstance(one, dict)], address
        except (msgspec.DecodeError, AttributeError, TypeError):
            return [], address      # it answered; that is all upstream's check asks for

    async def _openapi_hash(self, target: Target, address: Address) -> str | None:
        """Of its OpenAPI v3 document; "" when it tells none, None when it has no document."""
        try:
            paths = msgspec.json.decode(await self._get(address, "/openapi/v3")).get("paths") or {}
            entry = paths.get(f"apis/{target.group_version}")
            return None if entry is None else parse_qs(urlsplit(entry.get("serverRelativeURL", "")).query).get("hash", [""])[0]
        except (_Failed, msgspec.DecodeError, AttributeError, TypeError):
            return None

    async def _get(self, address: Address, path: str) -> bytes:
        """Who the server is does not matter here: nothing secret is asked, and nothing believed but that it answers."""
        from control_plane.apiserver.streaming.proxy.dial import dial_problem, host_and_port

        base = f"https://{host_and_port(address)}"
        failing = f"failing or missing response from {base}{path}"
        server = HttpServer(base, self._contexts.of(b"", insecure=True), address=address)
        try:
            async with asyncio.timeout(_REQUEST_S), server.request("GET", path, _HEADERS) as answer:
                body, status = b"", answer.status
                async for piece in answer.body:
                    body += piece
                    if len(body) > _LARGEST:
                        raise _Failed(f"{failing}: the answer is longer than {_LARGEST} bytes")
        except TimeoutError as error:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            raise _Failed(f'{failing}: Get "{base}{path}": {why}') from error
        except OSError as error:
            raise _Failed(f'{failing}: Get "{base}{path}": {dial_problem(address, error)}') from error
        finally:
            server.drop_idle()
        if not 200 <= status < 300:
            raise _Failed(f"{failing}: bad status from {base}{path}: {status}")
        return body

    async def _write(self, target: Target, verdict: Verdict) -> None:
        """Raises NotFound."""
        call = Call(APISERVER_USER, "update", self._row, "", target.name, "status")

        async def attempt(held: CachedObject) -> None:
            current = Target.of(held.obj)
            if current is None or current.place != target.place or says(held.obj, verdict):
                return
            obj = deep_copy(held.obj)
            set_condition(obj, verdict, self._clock.now())
            await self._store.update(object_key(self._row, call.key), encode_value(self._row, obj), expected_revision=held.revision)
            log.info("availability of an APIService", name=target.name, status=verdict.status, reason=verdict.reason)

        await self._swap.change(call, attempt)


def _nothing(objects: Iterable[CachedObject]) -> None:
    """Of a reset: the next check sees it."""


def _row(scheme: Scheme, group: str, plural: str) -> ResourceType:
    row = scheme.for_path(group, "v1", plural)
    assert row is not None
    return row
