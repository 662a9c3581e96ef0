"""Structured logs: a constant message and key/values, one line each, to standard error.

    log = get_logger("replicaset")
    log.info("created pods", replicaset=str(key), count=3)
    2026-11-20T12:00:00.123456Z INFO replicaset created pods replicaset=default/web count=3
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,%")


class Logger:
    """Bound to key/values; `bind` gives one with more."""

    __slots__ = ("_logger", "_values")

    def __init__(self, logger: logging.Logger, values: dict[str, Any]) -> None:
        self._logger = logger
        self._values = values

    def bind(self, **values: Any) -> Logger:
        return Logger(self._logger, {**self._values, **values})

    def debug(self, message: str, **values: Any) -> None:
        self._log(logging.DEBUG, message, values)

    def info(self, message: str, **values: Any) -> None:
        self._log(logging.INFO, message, values)

    def warning(self, message: str, **values: Any) -> None:
        self._log(logging.WARNING, message, values)

    def error(self, message: str, **values: Any) -> None:
        self._log(logging.ERROR, message, values)

    def exception(self, message: str, **values: Any) -> None:
        """An unexpected exception, with its traceback. Only where it is handled for good."""
        self._log(logging.ERROR, message, values, exc_info=True)

    def _log(self, level: int, message: str, values: dict[str, Any], *, exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={"values": {**self._values, **values}}, exc_info=exc_info)


def get_logger(name: str, **values: Any) -> Logger:
    return Logger(logging.getLogger(name), values)


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        instant = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        pairs = "".join(f" {key}={_quoted(value)}" for key, value in getattr(record, "values", {}).items())
        line = f"{instant} {record.levelname} {record.name} {record.getMessage()}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _quoted(value: Any) -> str:
    text = str(value)
    return text if text and _BARE.issuperset(text) else json.dumps(text, ensure_ascii=False)


def _is_news(record: logging.LogRecord) -> bool:
    """aiohttp logs a traceback for whatever is no HTTP; anybody who reaches the port could fill the disk with them."""
    error = record.exc_info[1] if record.exc_info else None
    return error is None or (type(error).__module__ != "aiohttp.http_exceptions" and type(error).__name__ != "RequestPayloadError")


def configure_logging(level: str = "INFO") -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_is_news)
