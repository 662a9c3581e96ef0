"""The OCI configuration of a container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node_agent.runtime.cgroups import all_devices
from node_agent.runtime.model import ContainerConfig, Image, ImageConfig, Mount, Resources, Sandbox, SandboxConfig, Security
from node_agent.runtime.spec import ALL_CAPABILITIES, EVERY_DEVICE, command_line, granted_capabilities, oci_spec, resolve_user

IMAGE = Image(
    id="sha256:1", name="x", layers=("/l",), config=ImageConfig(env=("PATH=/bin", "A=image"), entrypoint=("/entry",), cmd=("cmd",)),
)
BOUNDING = frozenset(ALL_CAPABILITIES) - {"CAP_SYS_RESOURCE"}
SANDBOX = Sandbox(
    config=SandboxConfig(uid="u", namespace="default", name="web", hostname="web", cgroup="/p", log_dir="/l"),
    netns_name="n", net="/run/netns/n", ipc="/ns/ipc", uts="/ns/uts", shm="/shm", created_at=0.0,
)


def config(**more: Any) -> ContainerConfig:
    return ContainerConfig(**{
        "pod_uid": "u", "name": "main", "attempt": 0, "image": "x", "log_path": "/log", "cgroup": "/p/c", **more,
    })


def spec(rootfs: Path, **more: Any) -> dict[str, Any]:
    own_score = more.pop("own_score", 0)
    return oci_spec(config(**more), IMAGE, SANDBOX, rootfs=str(rootfs), own_oom_score_adj=own_score, bounding=BOUNDING)


@pytest.mark.parametrize(("command", "args", "line"), [
    ((), (), ["/entry", "cmd"]), ((), ("a",), ["/entry", "a"]), (("c",), (), ["c"]), (("c",), ("a",), ["c", "a"]),
])
def test_command_and_args_override_the_image(command: tuple[str, ...], args: tuple[str, ...], line: list[str]) -> None:
    assert command_line(config(command=command, args=args), IMAGE) == line


def test_joins_the_sandbox(tmp_path: Path) -> None:
    namespaces = {entry["type"]: entry.get("path") for entry in spec(tmp_path)["linux"]["namespaces"]}

    assert namespaces == {"mount": None, "pid": None, "network": "/run/netns/n", "ipc": "/ns/ipc", "uts": "/ns/uts"}


@pytest.mark.parametrize(("privileged", "own"), [(False, True), (True, False)])
def test_cgroups_of_version_2_show_only_the_containers_own(tmp_path: Path, *, privileged: bool, own: bool) -> None:
    wanted = config(security=Security(privileged=privileged))
    made = oci_spec(wanted, IMAGE, SANDBOX, rootfs=str(tmp_path), own_oom_score_adj=0, bounding=BOUNDING, unified_cgroups=True)

    assert ({"type": "cgroup"} in made["linux"]["namespaces"]) is own


def test_the_pods_environment_wins(tmp_path: Path) -> None:
    env = dict(entry.split("=", 1) for entry in spec(tmp_path, env=(("A", "pod"),))["process"]["env"])

    assert env == {"PATH": "/bin", "A": "pod", "HOSTNAME": "web", "HOME": "/"}


@pytest.mark.req("POD-10")
def test_paths_are_masked_unless_privileged(tmp_path: Path) -> None:
    plain, privileged = spec(tmp_path)["linux"], spec(tmp_path, security=Security(privileged=True))["linux"]

    assert {"/proc/acpi", "/sys/firmware"} <= set(plain["maskedPaths"])
    assert "maskedPaths" not in privileged


@pytest.mark.parametrize(("security", "has", "lacks"), [
    pytest.param(Security(), {"CAP_CHOWN"}, {"CAP_NET_ADMIN"}, id="default"),
    pytest.param(Security(add_capabilities=("NET_ADMIN",)), {"CAP_CHOWN", "CAP_NET_ADMIN"}, set(), id="add"),
    pytest.param(Security(drop_capabilities=("ALL",), add_capabilities=("KILL",)), {"CAP_KILL"}, {"CAP_CHOWN"}, id="only"),
    pytest.param(Security(privileged=True), {"CAP_SYS_ADMIN"}, {"CAP_SYS_RESOURCE"}, id="no more than we have"),
])
def test_capabilities(tmp_path: Path, security: Security, has: set[str], lacks: set[str]) -> None:
    bounding = set(spec(tmp_path, security=security)["process"]["capabilities"]["bounding"])

    assert has <= bounding
    assert not lacks & bounding


def test_limits(tmp_path: Path) -> None:
    resources = spec(tmp_path, resources=Resources(cpu_shares=102, cpu_quota_us=10_000, memory_limit=1 << 20))["linux"]["resources"]

    assert resources["cpu"] == {"shares": 102, "quota": 10_000, "period": 100_000}
    assert resources["memory"] == {"limit": 1 << 20}


def test_oom_score_is_never_below_the_own(tmp_path: Path) -> None:
    assert spec(tmp_path, oom_score_adj=-997, own_score=100)["process"]["oomScoreAdj"] == 100


def test_mounts_are_read_only_where_asked(tmp_path: Path) -> None:
    mounts = spec(tmp_path, mounts=(Mount(source="/s", target="/t", read_only=True),))["mounts"]
    (mount,) = [entry for entry in mounts if entry["destination"] == "/t"]

    assert mount == {"destination": "/t", "type": "bind", "source": "/s", "options": ["rbind", "rprivate", "ro"]}


@pytest.mark.parametrize(("security", "user", "result"), [
    (Security(), "", (0, 0, "/root")), (Security(), "app", (1000, 1001, "/home/app")), (Security(), "app:staff", (1000, 50, "/home/app")),
    (Security(), "7:8", (7, 8, "/")), (Security(uid=1000), "root", (1000, 1001, "/home/app")), (Security(uid=5, gid=6), "", (5, 6, "/")),
])
def test_users_are_looked_up_in_the_image(tmp_path: Path, security: Security, user: str, result: tuple[int, int, str]) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n")
    (tmp_path / "etc/group").write_text("staff:x:50:\n")

    assert resolve_user(security, user, tmp_path)[:3] == result


def test_unknown_user_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unable to find user nobody-here"):
        resolve_user(Security(), "nobody-here", tmp_path)


def test_capabilities_are_read_from_the_mask() -> None:
    assert granted_capabilities(0b101) == {"CAP_CHOWN", "CAP_DAC_READ_SEARCH"}


def test_a_privileged_container_gets_no_device_that_its_machine_has_not(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    listed = tmp_path / "devices" / "devices.list"
    listed.write_text("c 1:3 rwm\nb *:* m\n")
    assert all_devices(tmp_path) == (
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}, {"allow": True, "type": "b", "access": "m"})
    made = oci_spec(
        config(security=Security(privileged=True)), IMAGE, SANDBOX, rootfs=str(tmp_path), own_oom_score_adj=0, bounding=BOUNDING,
        all_devices=all_devices(tmp_path))
    assert made["linux"]["resources"]["devices"] == list(all_devices(tmp_path))
    listed.write_text("a *:* rwm\n")
    assert all_devices(tmp_path) == all_devices(tmp_path / "version 2") == EVERY_DEVICE


def test_groups_of_the_image_are_added_unless_the_policy_is_strict(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("app:x:1000:1000::/home/app:/bin/sh\n")
    (tmp_path / "etc/group").write_text("app:x:1000:\nin-image:x:50000:other,app\nelse:x:7:apple\n")

    assert resolve_user(Security(uid=1000, supplemental_gids=(4000,)), "", tmp_path).groups == (50000,)
    assert resolve_user(Security(uid=1000, image_groups=False), "", tmp_path).groups == ()
    assert resolve_user(Security(uid=5), "", tmp_path).groups == ()


def test_users_of_ones_own_are_a_namespace_and_a_mapping(tmp_path: Path) -> None:
    sandbox = replace(SANDBOX, user="/pins/user", first_id=131072)
    made = oci_spec(config(), IMAGE, sandbox, rootfs=str(tmp_path), own_oom_score_adj=0, bounding=BOUNDING)["linux"]

    assert {"type": "user", "path": "/pins/user"} in made["namespaces"]
    assert made["uidMappings"] == made["gidMappings"] == [{"containerID": 0, "hostID": 131072, "size": 65536}]
