"""The life of a process: an event loop, a stop signal, and an exit code.

    async def run(config: SchedulerConfig, stop: asyncio.Event) -> None: ...

    def main(argv: Sequence[str] | None = None) -> int:
        return run_process("kube-scheduler", SchedulerConfig, run, argv)
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import uvloop

from kube.process.config import Config, ConfigError, load_config
from kube.process.flags import FlagGroup, flag_parser, given_flags, unknown_flag
from kube.process.log import configure_logging, get_logger

C = TypeVar("C", bound=Config)


def run_process(
    name: str, config_type: type[C], run: Callable[[C, asyncio.Event], Awaitable[None]], argv: Sequence[str] | None = None,
    flags: Iterable[FlagGroup] = (), removed: Mapping[str, str] | None = None,
) -> int:
    """Parses `--config FILE [-v]` and `flags`, runs `run(config, stop)` until it returns; SIGTERM and SIGINT set `stop`.

    `removed`: flags that Kubernetes has no more, and what to use instead.
    `run` owns everything it makes and must end soon after `stop` is set. Returns the process's exit code:
    0 after an orderly end, 1 after an error or for an unknown flag, 2 for a bad configuration.
    """
    parser = flag_parser(name, flags)
    parser.add_argument("--config", metavar="FILE", help="configuration of this process, YAML or JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="log at debug level")
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        print(f"Error: {unknown_flag(unknown[0], config_type.__struct_fields__, removed or {})}", file=sys.stderr)  # noqa: T201
        return 1
    if options.config is None:
        parser.error("the following arguments are required: --config")
    configure_logging("DEBUG" if options.verbose else "INFO")
    log = get_logger(name)
    try:
        config = load_config(config_type, options.config, given_flags(options))
    except ConfigError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        return 2

    async def live() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        log.info("started")
        await run(config, stop)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(live())
    except Exception as error:
        if wrong := _config_error(error):      # found out while the parts were put together: in a file that the configuration names
            print(f"{name}: {wrong}", file=sys.stderr)  # noqa: T201
            return 2
        log.exception("ended by an unexpected error")
        return 1
    log.info("stopped")
    return 0


def _config_error(error: BaseException) -> ConfigError | None:
    """The one that ended the process, also out of task groups."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, ConfigError) else None
