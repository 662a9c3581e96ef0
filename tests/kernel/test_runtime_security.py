"""Security contexts as a process in the container finds them: ids, groups, capabilities, system calls, /proc."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kube.api.core_v1 import Capabilities, PodSecurityContext, SeccompProfile, SecurityContext
from node_agent.kubelet.security import security_of
from node_agent.runtime.idmaps import OPEN_ROOTS
from node_agent.runtime.model import Mount, ProcessUser, Resources, RuntimeServiceError, Security
from tests.support.pods import container, pod
from tests.support.runtime_node import RuntimeNode, mounts_below

pytestmark = pytest.mark.kernel


def security(common: PodSecurityContext | None = None, own: SecurityContext | None = None, profiles: Path = Path("/nowhere")) -> Security:
    wanted = container(security_context=own)
    return security_of(pod(wanted, security_context=common), wanted, profiles)


async def said(node: RuntimeNode, script: str, wanted: Security) -> list[str]:
    await node.finished(await node.run(await node.sandbox(), script, security=wanted))
    return node.log()


@pytest.mark.req("SCX-01")
async def test_a_process_is_the_user_and_the_groups_of_its_pod(node: RuntimeNode) -> None:
    wanted = security(PodSecurityContext(run_as_user=1000, run_as_group=3000, fs_group=2000))

    record = await node.finished(await node.run(await node.sandbox(), "id", security=wanted))

    assert node.log() == ["uid=1000 gid=3000 groups=2000,3000"]
    assert record.user == ProcessUser(1000, 3000, (2000, 3000))


@pytest.mark.req("SCX-01")
async def test_what_a_container_says_comes_before_what_its_pod_says(node: RuntimeNode) -> None:
    wanted = security(PodSecurityContext(run_as_user=1000, run_as_group=3000), SecurityContext(run_as_user=1001, run_as_group=3001))

    assert await said(node, "id -u; id -g", wanted) == ["1001", "3001"]


async def test_privileges_cannot_be_gained_where_that_is_forbidden(node: RuntimeNode) -> None:
    look = "grep -E 'NoNewPrivs|CapBnd|CapEff' /proc/self/status"
    own = SecurityContext(run_as_user=0, allow_privilege_escalation=False, capabilities=Capabilities(drop=("ALL",), add=("NET_ADMIN",)))

    found = dict(line.split(":\t") for line in await said(node, look, security(own=own)))

    assert found == {"CapEff": f"{1 << 12:016x}", "CapBnd": f"{1 << 12:016x}", "NoNewPrivs": "1"}


async def test_read_only_root(node: RuntimeNode) -> None:
    script = "touch /x 2>/dev/null && echo written || echo refused; touch /dev/shm/x && echo shm"

    assert await said(node, script, security(own=SecurityContext(read_only_root_filesystem=True))) == ["refused", "shm"]


NAMESPACE = "grep Seccomp: /proc/self/status; unshare -U true 2>/dev/null && echo unshared || echo refused"


@pytest.mark.parametrize(("profile", "lines"), [
    pytest.param(None, ["Seccomp:\t0", "unshared"], id="none"),
    pytest.param("Unconfined", ["Seccomp:\t0", "unshared"], id="unconfined"),
    pytest.param("RuntimeDefault", ["Seccomp:\t2", "refused"], id="the runtime's"),
])
async def test_seccomp(node: RuntimeNode, profile: str | None, lines: list[str]) -> None:
    wanted = security(PodSecurityContext(run_as_user=1000, seccomp_profile=SeccompProfile(type=profile) if profile else None))

    assert await said(node, NAMESPACE, wanted) == lines


async def test_seccomp_profile_of_the_nodes_folder(node: RuntimeNode, tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    forbids = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    (tmp_path / "profiles/no-mkdir.json").write_text(json.dumps(forbids))
    own = SecurityContext(seccomp_profile=SeccompProfile(type="Localhost", localhost_profile="profiles/no-mkdir.json"))

    assert await said(node, "mkdir /tmp/x 2>/dev/null && echo made || echo refused", security(own=own, profiles=tmp_path)) == ["refused"]


def test_seccomp_profile_that_is_not_there_or_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text("{}")
    (tmp_path / "seccomp").mkdir()
    (tmp_path / "seccomp/link.json").symlink_to(tmp_path / "outside.json")

    missing = tmp_path / "seccomp/none.json"
    for name, why in (
        ("none.json", f'cannot load seccomp profile "{missing}": open {missing}: no such file or directory$'),
        ("link.json", "it leads out of the folder"),
    ):
        own = SecurityContext(seccomp_profile=SeccompProfile(type="Localhost", localhost_profile=name))
        with pytest.raises(RuntimeServiceError, match=f"^failed to create containerd container: .*{why}"):
            security(own=own, profiles=tmp_path / "seccomp")


def test_the_nodes_owner_may_want_a_profile_for_all() -> None:
    asked, silent = container(security_context=SecurityContext(seccomp_profile=SeccompProfile(type="Unconfined"))), container()

    found = [security_of(pod(each), each, Path("/nowhere"), seccomp_default=True).seccomp_default for each in (asked, silent)]

    assert found == [False, True]


async def test_a_privileged_container_has_no_profile(node: RuntimeNode) -> None:
    wanted = security(PodSecurityContext(seccomp_profile=SeccompProfile(type="RuntimeDefault")), SecurityContext(privileged=True))

    assert await said(node, "grep Seccomp: /proc/self/status", wanted) == ["Seccomp:\t0"]


async def test_proc_is_masked_unless_it_is_wanted_whole(node: RuntimeNode) -> None:
    script = "grep -c ' /proc/' /proc/mounts; (echo 9 >/proc/sys/net/ipv4/tcp_fin_timeout) 2>/dev/null && echo writable || echo 'read only'"

    masked = await said(node, script, security())
    (node.root / "logs/main/0.log").unlink()
    unmasked = await said(node, script, security(own=SecurityContext(proc_mount="Unmasked")))

    assert (int(masked[0]) > 5, masked[1]) == (True, "read only")
    assert unmasked == ["0", "writable"]


async def test_sysctls_of_network_and_ipc(node: RuntimeNode) -> None:
    sandbox = await node.sandbox(sysctls={"net.ipv4.tcp_fin_timeout": "7", "kernel.shm_rmid_forced": "1"})
    await node.finished(await node.run(sandbox, "cat /proc/sys/net/ipv4/tcp_fin_timeout /proc/sys/kernel/shm_rmid_forced"))

    assert node.log() == ["7", "1"]


async def test_huge_pages_are_limited_where_the_machine_can(node: RuntimeNode) -> None:
    wanted = Resources(huge_pages={"2MB": 4 << 20})

    record = await node.finished(await node.run(await node.sandbox(), "echo runs", resources=wanted))

    assert (record.exit_code, node.log()[-1]) == (0, "runs")


async def test_a_child_that_is_killed_for_memory_is_told(node: RuntimeNode) -> None:
    limited = Resources(memory_limit=16 << 20)

    record = await node.finished(await node.run(await node.sandbox(), "tail /dev/zero; exit 3", resources=limited))

    assert (record.exit_code, record.reason) in ((3, "OOMKilled"), (137, "OOMKilled"))      # 137: the kernel kills all, or none


async def test_a_pod_with_users_of_its_own(node: RuntimeNode, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_text("from the node\n")
    sandbox = await node.sandbox(own_users=True)
    script = (
        "id -u; cut -c-32 /proc/self/uid_map | tr -s ' '; touch /made /volume/made && echo made; stat -c '%u' /bin/sh /made /volume/file;"
        " cat /volume/file; hostname; ls /sys/class/net; touch /dev/shm/x && echo shm"
    )

    record = await node.finished(await node.run(sandbox, script, mounts=(Mount(source=str(volume), target="/volume"),)))

    assert sandbox.first_id % 65536 == 0
    assert node.log() == ["0", f" 0 {sandbox.first_id} 65536", "made", "0", "0", "0", "from the node", "web", "lo", "shm"]
    assert (volume / "made").stat().st_uid == 0                                           # the node's disk has no strange owners
    assert (node.root / "containers" / record.id / "upper/made").stat().st_uid == sandbox.first_id

    await node.runtime.remove_pod(sandbox.config.uid)

    assert mounts_below(node.root) == mounts_below(node.run_dir) == []
    assert not list(OPEN_ROOTS.glob(f"*-{record.id[:16]}"))


async def test_a_volume_whose_ids_cannot_be_mapped_is_refused_by_name(node: RuntimeNode) -> None:
    sandbox = await node.sandbox(own_users=True)

    with pytest.raises(RuntimeServiceError, match=r"/proc/fs: ids cannot be mapped for the Pod's user namespace: "):
        await node.run(sandbox, "true", mounts=(Mount(source="/proc/fs", target="/data"),))

    assert [path for path in mounts_below(node.root) if "/containers/" in path] == []


async def test_pods_with_users_of_their_own_share_none(node: RuntimeNode) -> None:
    first = await node.sandbox(own_users=True)
    second = await node.sandbox(uid="0a1b2c3d-0000-4000-8000-000000000002", own_users=True)
    await node.restart()
    third = await node.sandbox(uid="0a1b2c3d-0000-4000-8000-000000000003", own_users=True)

    assert len({sandbox.first_id for sandbox in (first, second, third)}) == 3


async def test_processes_seen_by_all_containers_of_a_pod_with_users_of_its_own(node: RuntimeNode) -> None:
    sandbox = await node.sandbox(own_users=True, share_pid=True)
    await node.run(sandbox, "exec sleep 1234", name="other", log_path=str(node.root / "logs/other/0.log"))

    await node.finished(await node.run(sandbox, "ps -o args | grep -c '[s]leep 1234'"))

    assert node.log() == ["1"]


async def test_commands_run_in_a_container_with_users_of_its_own(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(own_users=True), "exec sleep 1000")

    result = await node.runtime.exec(record.id, ["sh", "-c", "id -u; cat /proc/1/comm"], 60)

    assert result.output.decode().split() == ["0", "sleep"]
