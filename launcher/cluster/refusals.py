"""While a cluster starts: a process that cannot use its configuration says so and ends, again and again. Nobody needs to wait for that."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from launcher.cluster.errors import UpFailed, ZygoteUnavailable
from launcher.cluster.zygote_client import ProcessState, Request, ask

BAD_CONFIGURATION: Final = 2        # the exit code: kube/process/lifetime.py
LOOK_S: Final = 0.5


async def unless_refused(zygote_socket: Path, work: Coroutine[Any, Any, None]) -> None:
    """Does the work; raises UpFailed with a process's own words when its configuration is found to be useless first."""
    working = asyncio.create_task(work, name="work")
    looking = asyncio.create_task(_refusal(zygote_socket), name="look for refusals")
    try:
        await asyncio.wait({working, looking}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await working
        raise UpFailed(looking.result())
    finally:
        for task in (working, looking):
            task.cancel()
        await asyncio.gather(working, looking, return_exceptions=True)


async def _refusal(zygote_socket: Path) -> str:
    before: dict[str, int] = {}
    while True:
        try:
            states = (await asyncio.to_thread(ask, zygote_socket, Request(op="list"))).processes
        except ZygoteUnavailable:
            states = ()
        for state in states:
            if has_refused(state, before.setdefault(f"{state.name}/{state.node}", state.restarts)):
                return told(state)
        await asyncio.sleep(LOOK_S)


def has_refused(state: ProcessState, restarts_before: int) -> bool:
    """It was started since the first look, with what is there now, and ended so. etcd's code 2 may be anything that ends a Go program."""
    ended_so = state.pid == 0 and state.last_code == BAD_CONFIGURATION and state.name != "etcd"
    return ended_so and state.restarts > restarts_before


def told(state: ProcessState) -> str:
    """What the process printed last that is no entry of its log: those begin with the time."""
    try:
        lines = Path(state.log_file).read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    words = next((line for line in reversed(lines) if line and not line[:4].isdigit()), f"see {state.log_file}")
    return f"{state.name} of {state.node} cannot use its configuration: {words}"
