"""Errors the CLI shows as one line.

LauncherError
├── UpFailed            the cluster did not come up
│   └── NotReady        ... in time; the message says what is missing
├── DownIncomplete      something would not go
└── ZygoteUnavailable   nobody answers on the zygote's socket
"""

from __future__ import annotations


class LauncherError(Exception):
    """Something went wrong; the message says what, where, and what to do."""


class UpFailed(LauncherError):
    """The message says at which step, why, and where to look."""


class NotReady(UpFailed):
    """A cluster that did not become Ready in time; the message says what is missing."""


class DownIncomplete(LauncherError):
    """The message names what would not go."""


class ZygoteUnavailable(LauncherError):
    """There is no zygote, or it did not answer in time."""
