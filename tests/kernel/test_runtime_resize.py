"""Resizing what runs: the kernel's own files say what a Pod and its containers have."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_agent.runtime.cgroups import LegacyCgroups, detect_cgroups
from node_agent.runtime.model import Amounts, Resources, RuntimeServiceError, Sandbox
from tests.support.runtime_node import RuntimeNode

pytestmark = pytest.mark.kernel
LIMITED = Resources(cpu_shares=204, cpu_quota_us=20_000, memory_limit=64 << 20)


def held(cgroup: str) -> tuple[int, int]:
    """CPU quota in microseconds a period, and bytes of memory, as the kernel has them."""
    if isinstance(detect_cgroups(), LegacyCgroups):
        root = Path("/sys/fs/cgroup")
        quota = (root / "cpu" / cgroup.lstrip("/") / "cpu.cfs_quota_us").read_text()
        return int(quota), int((root / "memory" / cgroup.lstrip("/") / "memory.limit_in_bytes").read_text())
    directory = Path("/sys/fs/cgroup", cgroup.lstrip("/"))
    return int((directory / "cpu.max").read_text().split()[0]), int((directory / "memory.max").read_text())


def now(node: RuntimeNode, sandbox: Sandbox) -> Sandbox:
    found = node.runtime.sandbox(sandbox.config.uid)
    assert found is not None
    return found


async def test_a_running_container_and_its_pod_get_other_limits_and_keep_them_over_a_restart(node: RuntimeNode) -> None:
    sandbox = await node.sandbox(resources=LIMITED)
    record = await node.run(sandbox, "exec sleep 1000", resources=LIMITED)
    assert held(sandbox.config.cgroup) == held(record.config.cgroup) == (20_000, 64 << 20)

    more = Resources(cpu_quota_us=40_000, memory_limit=128 << 20)
    await node.runtime.resize_pod(sandbox.config.uid, more)
    await node.runtime.resize_container(record.id, more, Amounts(cpu_limit=400, memory_limit=128 << 20))
    await node.restart()

    found = node.runtime.container(record.id)
    assert found is not None
    assert held(sandbox.config.cgroup) == held(found.config.cgroup) == (40_000, 128 << 20)
    assert (found.config.amounts, found.config.resources.cpu_shares) == (Amounts(cpu_limit=400, memory_limit=128 << 20), 204)
    assert (now(node, sandbox).config.resources.memory_limit, found.running) == (128 << 20, True)


async def test_a_pod_shrinks_below_what_an_ended_container_had(node: RuntimeNode) -> None:
    sandbox = await node.sandbox(resources=LIMITED)
    await node.finished(await node.run(sandbox, "true", resources=LIMITED))

    await node.runtime.resize_pod(sandbox.config.uid, Resources(cpu_quota_us=10_000))

    assert held(sandbox.config.cgroup)[0] == 10_000


async def test_less_memory_than_is_used_is_refused_and_told(node: RuntimeNode) -> None:
    sandbox = await node.sandbox(resources=LIMITED)
    fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=32 2>/dev/null; echo full; exec sleep 1000"
    record = await node.run(sandbox, fill, resources=LIMITED)
    await node.eventually(lambda: node.log() == ["full"])
    assert node.runtime.memory_in_use(record.config.cgroup) > 32 << 20

    if isinstance(detect_cgroups(), LegacyCgroups):         # version 2 would kill: the kubelet looks before it writes
        with pytest.raises(RuntimeServiceError, match="failed to update cgroup"):
            await node.runtime.resize_container(record.id, Resources(memory_limit=8 << 20), Amounts(memory_limit=8 << 20))

        assert (held(record.config.cgroup)[1], record.config.amounts) == (64 << 20, Amounts())
