"""What can go wrong below: the errors of this package.

NetnsError
├── KernelError      the kernel refused a request; `errno` says why
└── NftError         a rule set or a change of it was refused as a whole
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class NetnsError(Exception):
    """Base of this package's errors."""


class KernelError(NetnsError):
    """The kernel refused a request."""

    def __init__(self, operation: str, errno: int, detail: str = "") -> None:
        super().__init__(f"{operation}: {os.strerror(errno)}{f' ({detail})' if detail else ''}")
        self.operation = operation
        self.errno = errno


class NftError(NetnsError):
    """nftables refused a transaction; nothing of it was applied."""


@contextmanager
def translating(operation: str) -> Iterator[None]:
    """Turns a failing system call into a KernelError that names what was attempted."""
    try:
        yield
    except OSError as error:
        raise KernelError(operation, error.errno or 0) from error
