"""An exec that is given up leaves no process in the container."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node_agent.runtime.cgroups import detect_cgroups, processes
from tests.support.runtime_node import RuntimeNode, runtime_node

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture
async def node(tmp_path: Path, images: Path) -> AsyncIterator[RuntimeNode]:
    async with runtime_node(tmp_path, images) as opened:
        yield opened


def commands(cgroup: str) -> list[str]:
    found = []
    for pid in processes(detect_cgroups(), cgroup):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
        except OSError:
            continue
    return sorted(found)


@pytest.mark.parametrize("tty", [False, True])
async def test_the_command_of_a_client_who_left_is_ended(node: RuntimeNode, *, tty: bool) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    session = await node.runtime.open_exec(record.id, ["sleep", "4321"], tty=tty, stdin=False)
    await node.eventually(lambda: "sleep 4321" in commands(record.config.cgroup))

    await session.close()

    await node.eventually(lambda: commands(record.config.cgroup) == ["sleep 1000"])
    assert not list((node.run_dir / "b").glob("*/exec-*"))


async def test_a_command_that_takes_too_long_is_ended(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await node.runtime.exec(record.id, ["sleep", "4321"], 0.5)

    await node.eventually(lambda: commands(record.config.cgroup) == ["sleep 1000"])
