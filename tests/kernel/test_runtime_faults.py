"""What the runtime makes of what goes wrong under it: killed helpers, a runc that fails or hangs, a full disk, read-only cgroups.

Each test ends by removing the Pod; then nothing more is held than before.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node_agent.runtime.model import ContainerRecord, ContainerState, RuntimeServiceError, StartFailedError
from node_agent.runtime.pod_runtime import PROGRAMS_PATH
from node_agent.runtime.processes import start_ticks
from node_agent.runtime.syscalls import MS_BIND, MS_RDONLY, MS_REMOUNT, mount, unmount
from tests.support.leaks import Holdings, left_over, runtime_holdings
from tests.support.runtime_node import RuntimeNode, runtime_node

pytestmark = pytest.mark.kernel


@pytest.fixture
async def node(tmp_path: Path, images: Path) -> AsyncIterator[RuntimeNode]:
    """Its runtime is warm, so that a thread more is a leak."""
    async with runtime_node(tmp_path, images) as opened:
        await _use(opened)
        await asyncio.gather(*(asyncio.to_thread(os.stat, "/") for _ in range(64)))
        before = runtime_holdings(opened)
        yield opened
        for sandbox in opened.runtime.sandboxes():
            await opened.runtime.remove_pod(sandbox.config.uid)
        await nothing_left(before, opened)


async def nothing_left(before: Holdings, node: RuntimeNode) -> None:
    """The kernel lets go of some things a moment later."""
    deadline = time.monotonic() + 60
    while left := left_over(before, runtime_holdings(node)):
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.1)


async def _use(node: RuntimeNode) -> None:
    sandbox = await node.sandbox()
    await node.finished(await node.run(sandbox, "exit 0"))
    await node.runtime.remove_pod(sandbox.config.uid)


def with_program(node: RuntimeNode, folder: Path, name: str, script: str) -> None:
    """Puts a program of that name before the real one, as an administrator's configuration would."""
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    node.programs_path = f"{folder}:{PROGRAMS_PATH}"


async def test_a_killed_process_is_seen_at_once(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")

    os.kill(record.pid, signal.SIGKILL)

    await node.finished(record)
    assert (record.exit_code, record.reason) == (137, "")


async def test_a_container_does_not_outlive_its_conmon(node: RuntimeNode) -> None:
    """As with containerd's shim: nobody would take its output or see its end."""
    record = await node.run(await node.sandbox(), "trap '' PIPE TERM; while :; do echo still here; sleep 0.1; done")

    os.kill(record.conmon_pid, signal.SIGKILL)

    await node.finished(record)
    assert (record.exit_code, record.reason) == (137, "")
    await node.eventually(lambda: start_ticks(record.pid) == 0)


async def test_process_and_conmon_killed_together(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")

    for pid in (record.conmon_pid, record.pid):
        os.kill(pid, signal.SIGKILL)

    await node.finished(record)
    assert record.exit_code == 137


async def test_what_was_lost_while_nobody_looked_is_unknown(node: RuntimeNode) -> None:
    """As after a machine was off."""
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    node.runtime.close()
    for pid in (record.conmon_pid, record.pid):
        os.kill(pid, signal.SIGKILL)
    await node.eventually(lambda: start_ticks(record.pid) == 0 and start_ticks(record.conmon_pid) == 0)

    node.runtime = node.open_runtime()
    await node.runtime.start()

    found = node.runtime.container(record.id)
    assert found is not None
    assert (found.state, found.exit_code, found.reason) == (ContainerState.EXITED, 255, "Unknown")


async def test_a_runc_that_fails(node: RuntimeNode, tmp_path: Path) -> None:
    with_program(node, tmp_path / "bin", "runc", "echo 'cannot today' >&2; exit 1")
    await node.restart()
    record = await node.runtime.create_container(node.config(await node.sandbox(), "exit 0"))

    with pytest.raises(StartFailedError, match="cannot today"):
        await node.runtime.start_container(record.id)

    assert (record.exit_code, record.reason) == (128, "StartError")


@pytest.mark.parametrize("program", ["runc", "conmon"])
async def test_a_program_that_hangs_is_given_up(node: RuntimeNode, tmp_path: Path, program: str) -> None:
    with_program(node, tmp_path / "bin", program, "sleep 1000")
    node.timeout_s = 0.5
    await node.restart()
    record = await node.runtime.create_container(node.config(await node.sandbox(), "exit 0"))

    with pytest.raises(StartFailedError, match="context deadline exceeded"):
        await node.runtime.start_container(record.id)

    assert (record.exit_code, record.reason) == (128, "StartError")


async def test_a_runc_that_hangs_after_it_has_made_the_container(node: RuntimeNode, tmp_path: Path) -> None:
    with_program(node, tmp_path / "bin", "runc", f'{shutil.which("runc")} "$@"; sleep 1000')
    node.timeout_s = 2
    await node.restart()
    record = await node.runtime.create_container(node.config(await node.sandbox(), "exec sleep 1000"))

    with pytest.raises(StartFailedError, match="context deadline exceeded"):
        await node.runtime.start_container(record.id)


async def test_a_start_can_be_cancelled(node: RuntimeNode, tmp_path: Path) -> None:
    with_program(node, tmp_path / "bin", "runc", f"touch {tmp_path}/begun; sleep 1000")
    await node.restart()
    record = await node.runtime.create_container(node.config(await node.sandbox(), "exit 0"))
    starting = asyncio.create_task(node.runtime.start_container(record.id))
    await node.eventually((tmp_path / "begun").exists)

    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert record.state is ContainerState.EXITED


async def test_a_kubelet_that_was_killed_while_runc_worked(node: RuntimeNode, tmp_path: Path) -> None:
    """The new one ends what is still at it, and knows of no container: it never ran."""
    with_program(node, tmp_path / "bin", "runc", f"touch {tmp_path}/begun; sleep 60; exec {shutil.which('runc')} \"$@\"")
    await node.restart()
    record = await node.runtime.create_container(node.config(await node.sandbox(), "exec sleep 1000"))
    starting = asyncio.ensure_future(_left_alone(node, record))
    await node.eventually((tmp_path / "begun").exists)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)

    await node.restart()

    assert node.runtime.containers() == []


async def _left_alone(node: RuntimeNode, record: ContainerRecord) -> None:
    """A start whose kubelet dies: nothing is cleaned up when it is cancelled."""
    from node_agent.runtime.conmon import ConmonStart, _arguments, environment
    from node_agent.runtime.processes import spawn

    bundle = node.run_dir / "b" / record.id[:16]
    start = ConmonStart(
        container_id=record.id, bundle=bundle, log_path=record.config.log_path, exits_dir=str(node.root / "exits"))
    await asyncio.to_thread(os.waitpid, spawn(_arguments(node.runtime._tools, start), environment(), {}), 0)
    await asyncio.Event().wait()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    mount(str(folder), str(folder), flags=MS_BIND)
    try:
        mount("none", str(folder), flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
        yield
    finally:
        unmount(str(folder))


async def test_cgroups_that_cannot_be_written(node: RuntimeNode) -> None:
    groups = [root / node.cgroup.lstrip("/") for root in node.cgroup_roots()]
    mounted = [read_only(group) for group in groups if group.is_dir()]
    for each in mounted:
        each.__enter__()
    try:
        with pytest.raises(RuntimeServiceError, match="read-only file system"):
            await node.sandbox()
    finally:
        for each in mounted:
            each.__exit__(None, None, None)

    await node.finished(await node.run(await node.sandbox(), "exit 0"))


async def test_a_full_disk(tmp_path: Path, images: Path) -> None:
    """Nothing starts, nothing half-made stays; what runs goes on, and once there is room again everything works."""
    place = tmp_path / "node"
    place.mkdir()
    mount("small", str(place), "tmpfs", 0, "size=1m")
    try:
        async with runtime_node(tmp_path, images) as node:
            await _use(node)
            await asyncio.gather(*(asyncio.to_thread(os.stat, "/") for _ in range(64)))
            before = runtime_holdings(node)
            running = await node.run(await node.sandbox(), "exec sleep 1000")
            ballast = place / "ballast"
            with pytest.raises(OSError, match="No space"):
                ballast.write_bytes(bytes(2 << 20))

            with pytest.raises(RuntimeServiceError, match="no space left on device"):
                await node.sandbox("1b2c3d4e-0000-4000-8000-000000000002")
            sandbox = node.runtime.sandboxes()[0]
            with pytest.raises(RuntimeServiceError, match="no space left on device"):
                await node.runtime.create_container(node.config(sandbox, "exit 0", name="other"))
            os.kill(running.pid, signal.SIGKILL)
            await node.finished(running)

            ballast.unlink()
            await node.restart()
            await node.finished(await node.run(sandbox, "exit 0", attempt=1))
            await node.runtime.remove_pod(sandbox.config.uid)
            await nothing_left(before, node)
    finally:
        unmount(str(place))
