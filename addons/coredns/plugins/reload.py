"""reload: takes up a changed Corefile; a broken one is reported, and the old one stays. Follows CoreDNS's reload."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from addons.coredns.chain import Setup
from addons.coredns.corefile import CorefileError, Directive, parse_seconds
from addons.coredns.runtime import Runtime

DEFAULT_INTERVAL_S, DEFAULT_JITTER_S = 30.0, 15.0
MIN_INTERVAL_S, MIN_JITTER_S = 2.0, 1.0

log = logging.getLogger("coredns")


def setup(directive: Directive, setup: Setup) -> None:
    if len(directive.args) > 2:
        raise directive.wrong_arguments()
    try:
        values = [parse_seconds(text) for text in directive.args]
    except ValueError as error:
        raise directive.error(str(error)) from error
    interval_s = values[0] if values else DEFAULT_INTERVAL_S
    jitter_s = values[1] if len(values) > 1 else min(DEFAULT_JITTER_S, interval_s / 2)
    if interval_s < MIN_INTERVAL_S:
        raise directive.error(f"interval value must be greater or equal to {MIN_INTERVAL_S:g}s")
    setup.services["reload", interval_s, jitter_s] = partial(watch_corefile, setup.runtime, interval_s, max(jitter_s, MIN_JITTER_S))


@asynccontextmanager
async def watch_corefile(runtime: Runtime, interval_s: float, jitter_s: float) -> AsyncIterator[None]:
    """Looks at the file's hash now and then, in a task of its own."""
    task = asyncio.create_task(_watch(runtime, interval_s, jitter_s), name="reload")
    try:
        yield
    finally:
        if task is not asyncio.current_task():      # a reload that takes `reload` out ends this very task
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _watch(runtime: Runtime, interval_s: float, jitter_s: float) -> None:
    running = _digest(runtime)
    log.info("plugin/reload: Running configuration SHA512 = %s", running)
    while True:
        await asyncio.sleep(interval_s + random.uniform(0, jitter_s))
        found = _digest(runtime)
        if found in ("", running):
            continue
        running = found
        log.info("Reloading")
        try:
            await runtime.reload()
        except CorefileError as error:
            log.error("Corefile changed but reload failed: %s", error)
        else:
            log.info("plugin/reload: Running configuration SHA512 = %s", running)


def _digest(runtime: Runtime) -> str:
    try:
        return hashlib.sha512(runtime.corefile.read_bytes()).hexdigest()
    except OSError:
        return ""           # a ConfigMap volume is being exchanged
