"""What users' machines mostly are, and the tests' may not be: control groups of version 2 under systemd, a kernel with all its modules."""

from __future__ import annotations

import pytest

from tests.machine.emulator import Machine

PYTEST = ".venv/bin/python -m pytest -q -p no:cacheprovider"
UNIFIED = "grep -q '^cgroup2 /sys/fs/cgroup ' /proc/mounts"


def passed(printed: str) -> bool:
    last = printed.strip().splitlines()[-1]
    return " passed" in last and "failed" not in last and "error" not in last


@pytest.mark.req("POD-05", "SCX-02")
def test_the_runtime_and_its_volumes(machine: Machine) -> None:
    printed = machine.run(f"{UNIFIED}\n{PYTEST} -n 2 tests/kernel -k 'runtime or volumes or log_rotation'", within_s=1800)

    assert passed(printed), printed


@pytest.mark.req("POD-05", "VOL-06", "PVC-07")
def test_a_cluster_with_limits_that_grows_disks_and_mounts_nfs(machine: Machine) -> None:
    tests = "tests/cluster/test_pods_resources.py tests/cluster/test_volumes_nfs.py tests/cluster/test_volumes_persistent.py"
    printed = machine.run(f"{UNIFIED}\n{PYTEST} {tests} -k 'limits or quality or nfs or grows'", within_s=1800)

    assert passed(printed), printed
    assert "skipped" not in printed, printed
