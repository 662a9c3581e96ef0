"""A log that is rotated again and again while it is followed: nothing is lost, old parts are compressed, the oldest go."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from kube.process.clock import SystemClock
from kube.process.config import ApiserverAccess, TlsFiles
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.log_rotation import rotate, rotate_logs
from node_agent.runtime.logs import LogOptions, read_log
from tests.support.runtime_node import RuntimeNode

pytestmark = pytest.mark.kernel
LINES = 30_000


def config(root: Path) -> KubeletConfig:
    """A log is full at 100 kB, and looked at often."""
    tls = TlsFiles(cert_file="", key_file="", ca_file="")
    made = KubeletConfig(
        apiserver=ApiserverAccess(targets=("127.0.0.1:1",), tls=tls), node_name="n", node_ip="127.0.0.1", root_dir=str(root),
        run_dir="/run", images_dir="", cgroup_parent="", cluster_dns=(), serving_tls=tls)
    return msgspec.structs.replace(made, container_log_max_bytes=100_000, container_log_max_files=4, container_log_monitor_s=1.1)


def settled(folder: Path) -> Callable[[], bool]:
    def is_so() -> bool:
        names = sorted(entry.name for entry in folder.iterdir())
        return len(names) == 4 and [name.endswith(".gz") for name in names] == [False, True, True, False]

    return is_so


async def test_a_rotated_log_is_followed_to_its_end(node: RuntimeNode) -> None:
    script = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; [ $((i % 3000)) -gt 0 ] || sleep 0.7; done; exec sleep 1000"
    record = await node.run(await node.sandbox(), script)
    path, seen = Path(record.config.log_path), bytearray()

    async def follow() -> None:
        async for piece in read_log(path, LogOptions(follow=True), lambda: False):
            seen.extend(piece)
            if seen.endswith(b"line %d\n" % LINES):
                return

    rotating = asyncio.create_task(rotate_logs(config(node.root), node.runtime, SystemClock()))
    try:
        await asyncio.wait_for(follow(), 300)
        await node.eventually(settled(path.parent))
    finally:
        rotating.cancel()

    assert bytes(seen) == b"".join(b"line %d\n" % number for number in range(1, LINES + 1))
    kept = [gzip.decompress(file.read_bytes()) for file in sorted(path.parent.glob("*.gz"))]
    assert all(part.splitlines()[0].count(b" stdout ") == 1 for part in kept)


def has_ended(pid: int) -> bool:
    """Whether the process has closed its files: gone, or a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_without_conmon_nothing_waits_for_it(node: RuntimeNode) -> None:
    """And the log keeps its name, so that nothing is lost for those who read it."""
    record = await node.run(await node.sandbox(), "echo hello; exec sleep 1000")
    path = Path(record.config.log_path)
    await node.eventually(lambda: path.stat().st_size > 0)
    os.kill(record.conmon_pid, signal.SIGKILL)
    await node.eventually(lambda: has_ended(record.conmon_pid))

    with pytest.raises(OSError, match="No such device or address"):
        await rotate(path, SystemClock().now(), 4, partial(node.runtime.reopen_log, record.id))

    assert [entry.name for entry in path.parent.iterdir()] == ["0.log"]
