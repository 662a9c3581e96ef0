"""The processors' shares of the cgroups between a node's and its Pods'."""

from __future__ import annotations

from pathlib import Path

from node_agent.kubelet.qos_groups import QosGroups
from node_agent.runtime.cgroups import UnifiedCgroups, cpu_weight
from node_agent.runtime.model import Resources, Sandbox, SandboxConfig


def sandbox(uid: str, below: str, shares: int) -> Sandbox:
    config = SandboxConfig(
        uid=uid, namespace="default", name=uid, hostname=uid, cgroup=f"/n/kubepods{below}/pod{uid}", log_dir="", resolv_conf="",
        resources=Resources(cpu_shares=shares))
    return Sandbox(config=config, netns_name=uid, net="", ipc="", uts="", shm="", created_at=0.0)


def test_burstable_pods_have_what_they_asked_for_and_best_effort_the_least(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    sandboxes = [sandbox("a", "/burstable", 512), sandbox("b", "/burstable", 256), sandbox("c", "/burstable", 2),
                 sandbox("d", "", 4096), sandbox("e", "/besteffort", 2)]
    groups = QosGroups("/n", 2000, UnifiedCgroups(tmp_path), lambda: sandboxes)

    def weights() -> dict[str, int]:
        return {path.parent.name: int(path.read_text()) for path in tmp_path.glob("n/**/cpu.weight")}

    groups.update()
    assert weights() == {"kubepods": cpu_weight(2048), "burstable": cpu_weight(768), "besteffort": 1}

    del sandboxes[:2]
    groups.update()
    assert weights() == {"kubepods": cpu_weight(2048), "burstable": 1, "besteffort": 1}
