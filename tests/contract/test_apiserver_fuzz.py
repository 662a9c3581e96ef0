"""Schemathesis over the apiserver's own OpenAPI v3: nothing that a schema can say, or nearly say, is a 500, a silence or a leak."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.fuzz import Fuzzer

MINUTE_S = 60.0
HOUR_S = 3600.0
WARM_UP_S = 600.0
MEMORY = 64 * 1024 * 1024      # more than what allocators keep, less than what an hour's leak of a kilobyte per request is


@dataclass(frozen=True)
class Footprint:
    memory: int
    files: int
    threads: int
    tasks: int


async def footprint(server: RunningApiserver) -> Footprint:
    async with server.session() as session, session.get("/metrics") as answer:
        text = await answer.text()
    tasks = next(line for line in text.splitlines() if line.startswith("apiserver_event_loop_tasks "))
    with server.process.oneshot():
        memory, files, threads = server.process.memory_info().rss, server.process.num_fds(), server.process.num_threads()
    return Footprint(memory, files, threads, int(float(tasks.split()[1])))


async def settled(server: RunningApiserver, before: Footprint) -> Footprint:
    """Once what ended is gone, or after a while as it is then."""
    for _ in range(400):
        now = await footprint(server)
        if now.files <= before.files + 8 and now.tasks <= before.tasks + 8:
            return now
        await asyncio.sleep(0.2)
    return now


async def fuzzed(server: RunningApiserver, fuzzer: Fuzzer, for_s: float) -> None:
    found = await asyncio.to_thread(fuzzer.run, for_s)
    print(f"{found.sent} requests:", dict(sorted(found.codes.items())))
    told = "\n\n".join(f"{what}\n{how}" for what, how in found.faults.items())
    assert not found.faults, told
    assert "Traceback" not in server.log
    assert {200, 400, 404, 422} <= found.codes.keys()


def assert_no_leak(before: Footprint, after: Footprint) -> None:
    assert after.memory < before.memory + MEMORY, (before, after)
    assert after.files <= before.files + 8, (before, after)
    assert after.tasks <= before.tasks + 8, (before, after)
    assert after.threads <= before.threads + 8, (before, after)


@pytest.mark.etcd
async def test_a_minute_of_requests_from_the_schemas(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path, watch_cache_events=100) as server:
        fuzzer = Fuzzer(server, 20261121)
        await asyncio.to_thread(fuzzer.run, 0)      # documents made and read, threads started
        before = await footprint(server)

        await fuzzed(server, fuzzer, MINUTE_S)
        await asyncio.to_thread(fuzzer.clean_up)

        assert_no_leak(before, await settled(server, before))


@pytest.mark.etcd
@pytest.mark.full
async def test_an_hour_of_requests_from_the_schemas(tmp_path: Path) -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    async with running_apiserver(tmp_path, watch_cache_events=100) as server:
        fuzzer = Fuzzer(server, seed)
        await fuzzed(server, fuzzer, WARM_UP_S)
        await asyncio.to_thread(fuzzer.clean_up)
        before = await footprint(server)

        await fuzzed(server, fuzzer, HOUR_S - WARM_UP_S)
        await asyncio.to_thread(fuzzer.clean_up)

        assert_no_leak(before, await settled(server, before))
