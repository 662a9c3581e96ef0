"""An exec whose client is gone: as with containerd the command goes on without its streams; a terminal hangs up; nothing of ours stays."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from node_agent.runtime.cgroups import detect_cgroups, processes
from node_agent.runtime.model import RuntimeServiceError
from tests.support.runtime_node import RuntimeNode

pytestmark = pytest.mark.kernel


def commands(cgroup: str) -> list[str]:
    found = []
    for pid in processes(detect_cgroups(), cgroup):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
        except OSError:
            continue
    return sorted(found)


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


async def test_the_command_of_a_client_who_left_goes_on(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    before = children(), len(os.listdir("/proc/self/fd"))
    session = await node.runtime.open_exec(record.id, ["sh", "-c", "cat; exec sleep 4321"], tty=False, stdin=True)
    await node.eventually(lambda: "cat" in commands(record.config.cgroup))

    await session.leave()

    await node.eventually(lambda: commands(record.config.cgroup) == ["sleep 1000", "sleep 4321"])      # cat has read the end of its input
    await node.eventually(lambda: children() <= before[0] and len(os.listdir("/proc/self/fd")) <= before[1])
    assert not list((node.run_dir / "b").glob("*/exec-*"))


async def test_what_a_command_says_to_nobody_ends_it(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    session = await node.runtime.open_exec(record.id, ["cat", "/dev/zero"], tty=False, stdin=False)
    assert await session.read_stdout()

    await session.leave()

    await node.eventually(lambda: commands(record.config.cgroup) == ["sleep 1000"])


async def test_a_terminal_hangs_up(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    session = await node.runtime.open_exec(record.id, ["sleep", "4321"], tty=True, stdin=True)
    await node.eventually(lambda: "sleep 4321" in commands(record.config.cgroup))

    await session.leave()

    await node.eventually(lambda: commands(record.config.cgroup) == ["sleep 1000"])


@pytest.mark.parametrize(("command", "why"), [
    ("no-such", 'exec: "no-such": executable file not found in $PATH'), ("/etc", 'exec: "/etc": permission denied'),
])
async def test_what_cannot_be_started_is_told_once(node: RuntimeNode, command: str, why: str) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    session = await node.runtime.open_exec(record.id, [command], tty=False, stdin=False)

    assert (await session.read_stdout(), await session.read_stderr()) == (b"", b"")      # runc's own complaint is not the command's
    with pytest.raises(RuntimeServiceError) as failure:
        await session.wait()
    await session.close()

    assert re.fullmatch(
        'failed to exec in container: failed to start exec "[0-9a-f]{64}": OCI runtime exec failed: exec failed: '
        f"unable to start container process: {re.escape(why)}: unknown", str(failure.value))


async def test_a_command_that_takes_too_long_is_ended(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await node.runtime.exec(record.id, ["sleep", "4321"], 0.5)

    await node.eventually(lambda: commands(record.config.cgroup) == ["sleep 1000"])
