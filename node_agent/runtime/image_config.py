"""An image's configuration file, as archives hold it, and what the runtime takes from it. Follows the OCI image specification."""

from __future__ import annotations

import signal
from typing import Any

import msgspec

from node_agent.runtime.image_archive import ImageArchiveError
from node_agent.runtime.model import ImageConfig


class Execution(msgspec.Struct, rename="pascal"):
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    stop_signal: str | None = None
    labels: dict[str, str] | None = None
    volumes: dict[str, Any] | None = None
    exposed_ports: dict[str, Any] | None = None


class RootFilesystem(msgspec.Struct):
    diff_ids: list[str] | None = None


class ConfigFile(msgspec.Struct):
    architecture: str = ""
    os: str = ""
    variant: str = ""
    config: Execution | None = None
    rootfs: RootFilesystem | None = None


def image_config(file: ConfigFile) -> ImageConfig:
    """Raises ImageArchiveError for a stop signal that does not exist: a container with it could not be stopped."""
    given = file.config or Execution()
    return ImageConfig(
        env=tuple(given.env or ()), entrypoint=tuple(given.entrypoint or ()), cmd=tuple(given.cmd or ()),
        working_dir=given.working_dir or "/", user=given.user or "", stop_signal=_stop_signal(given.stop_signal or "SIGTERM"),
        labels=given.labels or {}, volumes=tuple(sorted(given.volumes or ())), exposed_ports=tuple(sorted(given.exposed_ports or ())),
    )


def _stop_signal(text: str) -> str:
    """A name, or a number: SIGRTMIN+3, which systemd wants, is 37."""
    name = text.upper() if text.upper().startswith("SIG") else "SIG" + text.upper()
    base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
    if text.isdecimal():
        number = int(text)
    elif base in signal.Signals.__members__ and (not sign or offset.isdecimal()):
        number = signal.Signals[base].value + (int(offset or 0) if sign == "+" else -int(offset or 0))
    else:
        number = 0
    if not 1 <= number <= signal.SIGRTMAX:
        raise ImageArchiveError(f"its stop signal {text!r} does not exist")
    return name if name in signal.Signals.__members__ else str(number)
