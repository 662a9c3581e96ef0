"""Control groups of version 2, on a folder that looks like them: this machine may have the other version."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_agent.runtime.cgroups import UnifiedCgroups, detect_cgroups
from node_agent.runtime.model import Amounts, Resources, merged


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    return tmp_path


def written(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}


def test_limits_are_written_in_version_twos_words(root: Path) -> None:
    cgroups = detect_cgroups(root)
    cgroups.create("/kubonsai/node1/pod1", Resources(cpu_shares=1024, cpu_quota_us=50_000, memory_limit=64 << 20, pids_limit=100))

    assert isinstance(cgroups, UnifiedCgroups)
    assert written(root / "kubonsai/node1/pod1") == {
        "cpu.weight": "39", "cpu.max": "50000 100000", "memory.max": str(64 << 20), "pids.max": "100"}
    assert (root / "kubonsai/node1/cgroup.subtree_control").read_text() == "+cpu +cpuset +hugetlb +io +memory +pids"


def test_a_change_touches_only_what_it_names(root: Path) -> None:
    cgroups = detect_cgroups(root)
    cgroups.create("/pod", Resources(cpu_shares=1024, cpu_quota_us=50_000, memory_limit=64 << 20))
    before = written(root / "pod")

    cgroups.update("/pod", Resources(cpu_quota_us=-1, memory_limit=-1))

    assert written(root / "pod") == before | {"cpu.max": "max 100000", "memory.max": "max"}


def test_what_is_used_and_how_often_the_kernel_killed(root: Path) -> None:
    pod = root / "pod"
    pod.mkdir()
    (pod / "memory.current").write_text("4096\n")
    (pod / "memory.events.local").write_text("oom 1\noom_kill 2\n")
    cgroups = detect_cgroups(root)

    assert (cgroups.memory_in_use("/pod"), cgroups.oom_kills("/pod")) == (4096, 2)


def test_what_is_not_given_stays() -> None:
    held = Resources(cpu_shares=100, memory_limit=5, oom_group=True, huge_pages={"2MB": 1})

    assert merged(held, Resources(cpu_quota_us=7)) == Resources(
        cpu_shares=100, cpu_quota_us=7, memory_limit=5, oom_group=True, huge_pages={"2MB": 1})
    assert Amounts() == Amounts(cpu_limit=0)
