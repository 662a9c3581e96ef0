"""A process enters the network that another hands out, and ends with it: what the control plane's containers live by."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from launcher.testing.cluster import ROOT, eventually

OWNER = "import sys, pathlib; from launcher.compose.network import serve; serve(pathlib.Path(sys.argv[1]))"
# After entering it becomes another program, as the members do; `read` ends it when the test closes its standard input.
MEMBER = """
import os, sys, pathlib
from launcher.compose.network import enter
enter(pathlib.Path(sys.argv[1]))
os.setuid(65534)
os.execvp("sh", ["sh", "-c", "readlink /proc/self/ns/net; read wait; echo not ended"])
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, program: str, path: Path, *, own_network: bool = False) -> subprocess.Popen[str]:
    command = [*(["unshare", "--net"] if own_network else []), sys.executable, "-c", program, str(path)]
    process = stack.enter_context(subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
    ))
    stack.callback(process.kill)
    return process


def network_of(process: subprocess.Popen[str]) -> str:
    return os.readlink(f"/proc/{process.pid}/ns/net")


def test_a_member_enters_and_ends_with_the_networks_owner(stack: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "network.sock"
    early = start(stack, MEMBER, path)                  # before there is a network to enter
    owner = start(stack, OWNER, path, own_network=True)
    late = start(stack, MEMBER, path)

    for member in (early, late):
        assert member.stdout
        assert member.stdout.readline().strip() == network_of(owner) != os.readlink("/proc/self/ns/net")

    owner.kill()
    assert [member.wait(10) for member in (early, late)] == [-signal.SIGTERM] * 2


def test_who_starts_again_enters_the_next_network(stack: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "network.sock"
    first = start(stack, OWNER, path, own_network=True)
    eventually(path.exists)
    first.kill()
    first.wait()
    second = start(stack, OWNER, path, own_network=True)

    member = start(stack, MEMBER, path)

    assert member.stdout
    assert member.stdout.readline().strip() == network_of(second)
    assert member.poll() is None


def test_only_their_owner_may_ask_for_the_network(stack: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "network.sock"
    start(stack, OWNER, path, own_network=True)

    assert eventually(lambda: path.exists() and path.stat().st_mode & 0o777) == 0o600
