"""What tests of streams share: kubectl as a process, and what the cluster's own processes hold meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import OVERTAKEN
from tests.support.kubectls import Kubectl, oldest_and_newest
from tests.support.space import Space

MB = 1_000_000
every_kubectl = pytest.mark.parametrize("kubectl", oldest_and_newest(), ids=str)
SIZES = [pytest.param(32, id="32 MB"), pytest.param(1000, id="1 GB", marks=pytest.mark.full)]


def start(space: Space, kubectl: Kubectl, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    command = [kubectl.path, "-n", space.namespace, *arguments]
    return subprocess.Popen(command, env={**os.environ, **space.cluster.environment}, **streams)


def done(
    space: Space, kubectl: Kubectl, *arguments: str, stdin: bytes | None = None, within_s: float = 240.0
) -> subprocess.CompletedProcess[bytes]:
    for _ in range(5):
        with start(space, kubectl, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            out, error = process.communicate(stdin, timeout=within_s)
        if OVERTAKEN not in error.decode(errors="replace"):
            break
    return subprocess.CompletedProcess(arguments, process.returncode, out, error)


def descriptors(space: Space, name: str, node: str) -> int:
    return len(os.listdir(f"/proc/{space.cluster.process(name, node)['pid']}/fd"))


class Memory:
    """The largest size of the apiserver and the Pod's kubelet while a context is open, beyond that at its beginning."""

    def __init__(self, space: Space, node: str) -> None:
        self._pids = [space.cluster.process("apiserver")["pid"], space.cluster.process("kubelet", node)["pid"]]
        self._before = self._now()
        self.grown = [0, 0]

    def _now(self) -> list[int]:
        return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in self._pids]

    @contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                self.grown = [max(most, now - before) for most, now, before in zip(self.grown, self._now(), self._before, strict=True)]

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def no_more_than(before: tuple[int, ...], now: tuple[int, ...]) -> bool:
    """A connection more or less of the cluster's own says nothing."""
    assert all(after <= then + 2 for after, then in zip(now, before, strict=True)), f"{before} -> {now}"
    return True
