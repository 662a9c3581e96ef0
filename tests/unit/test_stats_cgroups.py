"""What control groups have used, v1 and v2, from files as the kernel writes them; rates; files on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node_agent.kubelet.stats.cgroup_usage import CgroupUsage, LegacyReader, Pressure, UnifiedReader, detect_reader
from node_agent.kubelet.stats.collector import CpuRates
from node_agent.kubelet.stats.disk_usage import DiskUsage, DiskUsages, count, filesystem

MIB = 1 << 20


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def usage(cpu_ns: int, at: float = 0.0) -> CgroupUsage:
    return CgroupUsage(at, cpu_ns, 0, 0, 0, 0, 0, None, 0, 0, {})


def test_of_a_version_2_group(tmp_path: Path) -> None:
    lay(tmp_path, {
        "cgroup.controllers": "cpu memory pids", "n/p/cpu.stat": "usage_usec 1500\nuser_usec 1000\n", "n/p/memory.current": f"{10 * MIB}\n",
        "n/p/memory.stat": f"anon {4 * MIB}\ninactive_file {3 * MIB}\npgfault 7\npgmajfault 1\n", "n/p/memory.max": "max\n",
        "n/p/pids.current": "3\n", "n/p/cpu.pressure": "some avg10=1.50 avg60=0.20 avg300=0.05 total=42\n",
    })

    found = detect_reader(tmp_path).read("/n/p", 5.0)

    assert found == CgroupUsage(
        at=5.0, cpu_ns=1_500_000, memory_bytes=10 * MIB, working_set_bytes=7 * MIB, rss_bytes=4 * MIB, page_faults=7,
        major_page_faults=1, memory_limit=None, processes=3, swap_bytes=0, pressure={("cpu", "some"): Pressure(1.5, 0.2, 0.05, 42)},
    )


def test_of_a_version_1_group(tmp_path: Path) -> None:
    lay(tmp_path, {
        "memory/n/p/memory.usage_in_bytes": f"{10 * MIB}\n", "memory/n/p/memory.limit_in_bytes": f"{64 * MIB}\n",
        "memory/n/p/memory.stat": f"rss 0\ntotal_rss {4 * MIB}\ntotal_inactive_file {2 * MIB}\ntotal_pgfault 7\ntotal_pgmajfault 0\n",
        "cpuacct/n/p/cpuacct.usage": "1500000\n", "pids/n/p/pids.current": "2\n",
    })

    found = detect_reader(tmp_path).read("/n/p", 5.0)

    assert found is not None
    assert (found.cpu_ns, found.working_set_bytes, found.rss_bytes) == (1_500_000, 8 * MIB, 4 * MIB)
    assert (found.memory_limit, found.processes, found.pressure) == (64 * MIB, 2, {})


@pytest.mark.parametrize("reader", [UnifiedReader, LegacyReader])
def test_a_group_that_has_gone_is_none(tmp_path: Path, reader: type[UnifiedReader] | type[LegacyReader]) -> None:
    assert reader(tmp_path).read("/n/p", 0.0) is None


def test_on_version_1_a_node_is_its_pods_and_its_agents(tmp_path: Path) -> None:
    lay(tmp_path, {
        "fs/memory/n/memory.usage_in_bytes": f"{10 * MIB}\n", "fs/memory/n/memory.stat": f"total_rss {4 * MIB}\n",
        "fs/cpuacct/n/cpuacct.usage": "1000\n", "fs/pids/n/pids.current": "2\n", "fs/unified/cgroup.procs": "",
        "fs/unified/n/cpu.stat": "usage_usec 9\n", "fs/unified/n/kubelet/cgroup.procs": "7\n", "fs/unified/n/kubepods/cgroup.procs": "8\n",
        "proc/7/smaps_rollup": "0-1 [rollup]\nRss: 900 kB\nPss:            512 kB\n", "proc/8/smaps_rollup": "Pss: 999 kB\n",
    })

    found = LegacyReader(tmp_path / "fs", tmp_path / "proc").node("/n", 0.0)

    assert found is not None
    assert found.memory_bytes == 10 * MIB + 512 * 1024
    assert (found.cpu_ns, found.processes) == (9000, 3)


def test_a_rate_takes_two_looks_a_second_apart() -> None:
    rates = CpuRates()

    assert rates.rated("/p", usage(1_000, at=10.0)).nano_cores is None
    assert rates.rated("/p", usage(500_001_000, at=10.5)).nano_cores == 1_000_000_000
    assert rates.rated("/p", usage(1_000_001_000, at=20.0)).nano_cores == 100_000_000
    assert rates.rated("/p", usage(5, at=30.0)).nano_cores is None            # begun anew


def test_files_are_counted_as_du_does(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/one").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "below/one", tmp_path / "two")
    (tmp_path / "hole").touch()
    os.truncate(tmp_path / "hole", 50 * MIB)

    found = count(str(tmp_path))

    assert 100_000 <= found.bytes < 200_000
    assert found.inodes == 4
    assert count(str(tmp_path / "missing")) == DiskUsage(0, 0)


def test_a_filesystem_tells_what_it_has(tmp_path: Path) -> None:
    found = filesystem(str(tmp_path))

    assert found is not None
    assert 0 < found.available_bytes <= found.capacity_bytes
    assert filesystem(str(tmp_path / "missing")) is None


def test_what_took_long_to_count_is_remembered_longer() -> None:
    clock, counted = [0.0], []

    def slow(path: str) -> DiskUsage:
        counted.append(path)
        clock[0] += 5
        return DiskUsage(len(counted), 1)

    disks = DiskUsages(slow, lambda: clock[0])
    disks.get("/a")
    clock[0] = 400.0
    assert disks.get("/a").bytes == 1
    clock[0] = 600.0
    assert disks.get("/a").bytes == 2
    disks.forget()
    assert disks.get("/a").bytes == 3
