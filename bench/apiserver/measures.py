"""What is measured. Each measure runs on one server and gives figures; a figure is a cost, less is better."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, NamedTuple

from bench.apiserver.client import JSON, closed_loop, connections, expect, open_loop, request
from bench.apiserver.objects import NAMESPACE, PODS, SETUP, applied, labelled, pod
from bench.apiserver.servers import ADMIN_TOKEN, TOKEN, Server
from control_plane.storage.etcd import EtcdStore

PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
_KEY: Final = f"/registry/pods/{NAMESPACE}/"


class Figure(NamedTuple):
    title: str
    unit: str
    value: float


class Sizes(NamedTuple):
    pods: int = 10_000
    watchers: int = 100
    events: int = 1_000
    writes: int = 2_000
    lists: int = 8
    seconds: float = 5.0
    rate: float = 500.0


Measure = Callable[[Server, Sizes], AsyncIterator[Figure]]


async def setup(server: Server) -> None:
    async with connections(server, 1) as (connection,):
        for path, obj in SETUP:
            asked = request("POST", path, obj, token=ADMIN_TOKEN)
            expect(await connection.ask(asked), asked)
        asked = request("GET", PODS)
        async with asyncio.timeout(10):      # until the binding counts
            while (await connection.ask(asked)).code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def idle_memory(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    yield Figure("memory, idle", "MB", server.memory() / 1e6)


async def creating(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    asked = (request("POST", PODS, pod(f"p{number}", number)) for number in range(sizes.pods))
    load = await closed_loop(server, asked)
    yield Figure("consistent GET right after", "ms", await _consistent_get_s(server) * 1e3)      # how far behind the writes the cache is
    yield Figure("create, 16 at once", "ms", load.wall_s / load.requests * 1e3)
    yield Figure("create", "ms CPU", load.cpu_s / load.requests * 1e3)
    yield Figure("create, etcd's share", "ms CPU", load.etcd_cpu_s / load.requests * 1e3)
    yield Figure(f"memory, {sizes.pods} Pods", "MB", server.memory() / 1e6)


async def _consistent_get_s(server: Server) -> float:
    async with connections(server, 1) as (connection,):
        asked, began = request("GET", f"{PODS}/p0"), time.perf_counter()
        expect(await connection.ask(asked), asked)
        return time.perf_counter() - began


async def getting(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    for title, query, accept in (
        ("GET, consistent", "", JSON), ("GET, resourceVersion=0", "?resourceVersion=0", JSON),
        ("GET, protobuf", "?resourceVersion=0", PROTOBUF),
    ):
        count, wall_s, cpu_s = await _gets(server, f"{PODS}/p7{query}", accept, sizes)
        yield Figure(f"{title}, 16 at once", "ms", wall_s / count * 1e3)
        yield Figure(title, "ms CPU", cpu_s / count * 1e3)


async def _gets(server: Server, path: str, accept: str, sizes: Sizes) -> tuple[int, float, float]:
    """Requests, seconds, seconds of the server's CPU. By wrk where it is installed, which costs less than any client in Python."""
    if not shutil.which("wrk"):
        load = await closed_loop(server, [request("GET", path, accept=accept)] * int(sizes.seconds * 1000))
        return load.requests, load.wall_s, load.cpu_s
    cpu = server.cpu_s()
    process = await asyncio.create_subprocess_exec(
        "wrk", "-t1", "-c16", f"-d{max(1, round(sizes.seconds))}s", "-H", f"Authorization: Bearer {TOKEN}", "-H", f"Accept: {accept}",
        server.url + path, stdout=asyncio.subprocess.PIPE)
    printed = (await process.communicate())[0].decode()
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", printed)
    if "Non-2xx" in printed or found is None:
        raise SystemExit(f"{path}: {printed}")
    return int(found[1]), float(found[2]) * (1e-3 if found[3] == "ms" else 1.0), server.cpu_s() - cpu


async def listing(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    """The first LIST of each kind is a figure of its own: what a cache costs to fill."""
    for title, query, accept in (
        ("LIST all, resourceVersion=0", "?resourceVersion=0", JSON),
        ("LIST all, consistent", "", JSON),
        ("LIST all, protobuf", "?resourceVersion=0", PROTOBUF),
        ("LIST limit=500", "?limit=500", JSON),
        ("LIST limit=500, protobuf", "?limit=500", PROTOBUF),
        ("LIST of one node", "?resourceVersion=0&fieldSelector=spec.nodeName%3Dnode-7", JSON),
        ("LIST of one app", "?resourceVersion=0&labelSelector=app%3Dapp-7", JSON),
    ):
        asked = request("GET", PODS + query, accept=accept)
        if title in ("LIST all, protobuf", "LIST all, resourceVersion=0") or "Selector" in query:
            first = await closed_loop(server, [asked], parallel=1)
            yield Figure(f"{title}, first", "ms CPU", first.cpu_s * 1e3)
        load = await closed_loop(server, [asked] * (sizes.lists * (10 if "limit" in query or "Selector" in query else 1)), parallel=1)
        yield Figure(title, "ms", load.wall_s / load.requests * 1e3)
        yield Figure(title, "ms CPU", load.cpu_s / load.requests * 1e3)
    async for figure in _compressed(server, sizes):
        yield figure
    async for figure in _paged(server):
        yield figure
    yield Figure("memory, after the LISTs", "MB", server.memory() / 1e6)


async def _compressed(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    asked = request("GET", f"{PODS}?resourceVersion=0").replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n")
    load = await closed_loop(server, [asked] * max(1, sizes.lists // 2), parallel=1)
    yield Figure("LIST all, gzip", "ms CPU", load.cpu_s / load.requests * 1e3)


async def _paged(server: Server) -> AsyncIterator[Figure]:
    """All, 500 at a time, as kubectl lists."""
    cpu, began, token = server.cpu_s(), time.perf_counter(), ""
    async with connections(server, 1) as (connection,):
        while True:
            asked = request("GET", f"{PODS}?limit=500{'&continue=' + token if token else ''}")
            page = json.loads(expect(await connection.ask(asked), asked).body)
            token = page["metadata"].get("continue", "")
            if not token:
                break
    yield Figure("LIST all in pages of 500", "ms", (time.perf_counter() - began) * 1e3)
    yield Figure("LIST all in pages of 500", "ms CPU", (server.cpu_s() - cpu) * 1e3)


async def changing(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    numbers = [number % sizes.pods for number in range(sizes.writes)]
    template = await _template(server)
    kinds: tuple[tuple[str, Iterator[bytes]], ...] = (
        ("patch, strategic", (request("PATCH", f"{PODS}/p{n}", labelled(n, 1), media_type=STRATEGIC) for n in numbers)),
        ("server-side apply", (request("PATCH", f"{PODS}/p{n}?fieldManager=bench", applied(n, 1), media_type=APPLY) for n in numbers)),
        ("update", (_update(template, n, 1) for n in numbers)),
        ("delete", (request("DELETE", f"{PODS}/p{n}?gracePeriodSeconds=0") for n in dict.fromkeys(numbers))),
    )
    for title, asked in kinds:
        load = await closed_loop(server, asked)
        yield Figure(f"{title}, 16 at once", "ms", load.wall_s / load.requests * 1e3)
        yield Figure(title, "ms CPU", load.cpu_s / load.requests * 1e3)
    again = (request("POST", PODS, pod(f"p{number}", number)) for number in dict.fromkeys(numbers))
    await closed_loop(server, again)


async def _template(server: Server) -> dict[str, bytes]:
    """A Pod as the server gives it, without what makes it that one."""
    async with connections(server, 1) as (connection,):
        asked = request("GET", f"{PODS}/p0")
        obj = json.loads(expect(await connection.ask(asked), asked).body)
    for key in ("uid", "resourceVersion", "managedFields", "creationTimestamp"):
        obj["metadata"].pop(key, None)
    obj["metadata"]["name"] = "@NAME@"
    obj["metadata"]["labels"]["round"] = "@ROUND@"
    obj["spec"]["nodeName"] = "@NODE@"
    return {"body": json.dumps(obj, separators=(",", ":")).encode()}


def _update(template: dict[str, bytes], number: int, round_: int) -> bytes:
    names = ((b"@NAME@", f"p{number}"), (b"@ROUND@", f"u{round_}-{number}"), (b"@NODE@", f"node-{number % 100}"))
    body = template["body"]
    for mark, text in names:
        body = body.replace(mark, text.encode())
    return request("PUT", f"{PODS}/p{number}", body)


async def fanning_out(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    """The events are made in etcd itself, so that no write's cost is in the figures: the stored bytes are put again as they are."""
    for title, accept in (("", JSON), (", protobuf", PROTOBUF)):
        watching = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.apiserver.watchers", str(server.port), server.ca_file, TOKEN,
            f"{PODS}?watch=1&resourceVersion={await _revision(server)}", accept, str(sizes.watchers),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 28,
        )
        assert watching.stdin is not None
        assert watching.stdout is not None
        try:
            assert (await watching.stdout.readline()) == b"ready\n"
            async with server.store() as store:
                for pace, events, rate in (("burst", sizes.events, 0.0), ("50/s", min(sizes.events, 250), 50.0)):
                    watching.stdin.write(b"%d\n" % events)
                    cpu, began = server.cpu_s(), time.monotonic()
                    put = await _events(store, events, rate)
                    seen = json.loads(await watching.stdout.readline())
                    cpu_s = server.cpu_s() - cpu
                    end, resumed = seen.pop("0")
                    lags = sorted(moment - put[int(revision)] for revision, moments in seen.items() for moment in moments)
                    if pace == "burst":
                        yield Figure(f"fan-out{title}, burst, in all", "s", end - began)
                        yield Figure(f"fan-out{title}, a delivery", "ms CPU", cpu_s / events / sizes.watchers * 1e3)
                        yield Figure(f"fan-out{title}, watches resumed", "", resumed)
                    yield Figure(f"fan-out{title}, {pace}, p50", "ms", lags[len(lags) // 2] * 1e3)
                    yield Figure(f"fan-out{title}, {pace}, p99", "ms", lags[int(len(lags) * 0.99)] * 1e3)
        finally:
            watching.stdin.close()
            await watching.wait()


async def _revision(server: Server) -> str:
    async with connections(server, 1) as (connection,):
        asked = request("GET", f"{PODS}?limit=1")
        found: str = json.loads(expect(await connection.ask(asked), asked).body)["metadata"]["resourceVersion"]
        return found


async def _events(store: EtcdStore, count: int, rate: float) -> dict[int, float]:
    """Puts the first Pods again; the moment each revision was asked for."""
    put: dict[int, float] = {}
    held = (await store.range(_KEY, limit=min(count, 500))).items
    revisions = {one.key: one.revision for one in held}
    began = time.monotonic()
    for number in range(count):
        if rate and (early := began + number / rate - time.monotonic()) > 0:
            await asyncio.sleep(early)
        one = held[number % len(held)]
        moment = time.monotonic()
        revisions[one.key] = await store.update(one.key, one.value, expected_revision=revisions[one.key])
        put[revisions[one.key]] = moment
    return put


async def mixed(server: Server, sizes: Sizes) -> AsyncIterator[Figure]:
    """60% GET, and 10% each of create, update, patch and delete; then the same beside one LIST of everything a second."""
    template = await _template(server)
    for title, lists in (("", False), (" beside LISTs", True)):
        mix = _Mix(template, sizes.pods, f"m{int(lists)}")
        beside = asyncio.create_task(_list_each_second(server)) if lists else None
        load = await open_loop(server, mix, rate=sizes.rate, seconds=max(sizes.seconds * 2, 2.0))
        if beside is not None:
            beside.cancel()
            await asyncio.wait([beside])
        yield Figure(f"{sizes.rate:.0f} mixed/s{title}, p50", "ms", load.percentile(0.5) * 1e3)
        yield Figure(f"{sizes.rate:.0f} mixed/s{title}, p99", "ms", load.percentile(0.99) * 1e3)
        median = load.percentile_of_the_median_second(0.99, int(sizes.rate))
        yield Figure(f"{sizes.rate:.0f} mixed/s{title}, p99, median s", "ms", median * 1e3)
        if not lists:
            yield Figure(f"{sizes.rate:.0f} mixed/s, a request", "ms CPU", load.cpu_s / load.requests * 1e3)
            yield Figure(f"{sizes.rate:.0f} mixed/s, no core was free", "% of s", load.waited_s / load.wall_s * 1e2)


async def _list_each_second(server: Server) -> None:
    """By curl, lest 20 MB hold up the clients whose time is taken."""
    while True:
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--fail", "--user-agent", "bench/1", "--output", "/dev/null",      # for curl itself it would be indented
            "--cacert", server.ca_file, "--header", f"Authorization: Bearer {TOKEN}",
            f"{server.url}{PODS}?resourceVersion=0")
        if await process.wait():
            raise SystemExit("the LIST beside the mixed load failed")
        await asyncio.sleep(1.0)


class _Mix:
    def __init__(self, template: dict[str, bytes], pods: int, prefix: str) -> None:
        self._template = template
        self._pods = pods
        self._prefix = prefix
        self._random = random.Random(7)
        self._made = itertools.count()
        self._unmade = itertools.count()

    def __call__(self, number: int) -> bytes:
        any_pod = self._random.randrange(self._pods)
        kind = number % 10
        if kind == 0:
            made = next(self._made)
            return request("POST", PODS, pod(f"{self._prefix}-{made}", made))
        if kind == 3:
            return _update(self._template, any_pod, number)
        if kind == 6:
            return request("PATCH", f"{PODS}/p{any_pod}", labelled(any_pod, number), media_type=STRATEGIC)
        if kind == 9 and number > 1000:      # two seconds after its creation
            return request("DELETE", f"{PODS}/{self._prefix}-{next(self._unmade)}?gracePeriodSeconds=0")
        return request("GET", f"{PODS}/p{any_pod}")


MEASURES: Final[dict[str, Measure]] = {
    "idle": idle_memory, "create": creating, "get": getting, "list": listing, "change": changing, "watch": fanning_out, "mixed": mixed,
}
NEEDED: Final = ("create",)

