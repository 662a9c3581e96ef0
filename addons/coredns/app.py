"""Composition root of the DNS server: `python3 -m addons.coredns.app -conf /etc/coredns/Corefile`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from addons.coredns.corefile import CorefileError
from addons.coredns.metrics import VERSION
from addons.coredns.runtime import Runtime

DEFAULT_COREFILE = "Corefile"
MAX_LAMEDUCK_S = 600.0

log = logging.getLogger("coredns")


async def run(corefile: Path, stop: asyncio.Event) -> None:
    """Serves until `stop` is set, and then for the lameduck period of the health plugin. Raises CorefileError."""
    async with Runtime(corefile) as runtime:
        for (host, port), chains in runtime.site.chains.items():
            for zone in chains:
                log.info("serving %s on %s:%d", zone, host, port)
        log.info("CoreDNS-%s (kubonsai)", VERSION)
        assert runtime.failure is not None
        stopping = asyncio.create_task(stop.wait(), name="stop signal")
        try:
            await asyncio.wait((stopping, runtime.failure), return_when=asyncio.FIRST_COMPLETED)
            if runtime.failure.done():
                runtime.failure.result()
        finally:
            stopping.cancel()
        runtime.stopping = True
        if lameduck_s := min(runtime.site.lameduck_s, MAX_LAMEDUCK_S):
            log.info("plugin/health: Going into lameduck mode for %gs", lameduck_s)
            await asyncio.sleep(lameduck_s)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "WARNING" if record.levelno == logging.WARNING else record.levelname
        origin = "" if record.name == "coredns" else f"{record.name}: "
        values = "".join(f" {key}={value}" for key, value in getattr(record, "values", {}).items())
        text = f"[{level}] {origin}{record.getMessage()}{values}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="coredns")
    parser.add_argument("-conf", "--conf", default=DEFAULT_COREFILE, metavar="FILE", help="Corefile to load (default %(default)s)")
    options = parser.parse_args(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)

    async def live() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run(Path(options.conf), stop)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:     # a datagram costs a third of what it does in asyncio's own
            runner.run(live())
    except CorefileError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
