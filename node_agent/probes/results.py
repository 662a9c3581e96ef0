"""What one look at a container found."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ProbeKind(StrEnum):
    LIVENESS = "Liveness"
    READINESS = "Readiness"
    STARTUP = "Startup"


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    WARNING = "warning"        # good enough, but worth an event
    UNKNOWN = "unknown"        # the probe itself did not work; changes nothing


class Finding(NamedTuple):
    outcome: Outcome
    message: str = ""
