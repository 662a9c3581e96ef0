"""Why something cannot be allocated; the messages are upstream's."""

from __future__ import annotations


class AllocationError(Exception):
    """The message is the end of the validation error that the client gets."""


class AlreadyAllocated(AllocationError):
    pass


class OutOfRange(AllocationError):
    pass


class RangeFull(AllocationError):
    pass
