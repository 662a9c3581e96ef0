"""Volumes as they lie on a node: sizes, owners, modes, what is mounted, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from kube.api.core_v1 import (
    ConfigMapVolumeSource,
    Container,
    EmptyDirVolumeSource,
    KeyToPath,
    Pod,
    PodSecurityContext,
    ProjectedVolumeSource,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from node_agent.runtime.mounts import MountTable, make_shared, unmount_below
from node_agent.runtime.syscalls import MS_BIND, MS_PRIVATE, MS_SHARED, mount
from node_agent.volumes.container_mounts import ContainerMountError, volume_mounts
from node_agent.volumes.ownership import apply_fs_group
from node_agent.volumes.plugin import MountedVolume
from node_agent.volumes.pod_volumes import PodVolumes
from node_agent.volumes.registry import local_plugins
from tests.support.pods import UID, container, pod
from tests.unit.test_volumes_files import Objects

pytestmark = pytest.mark.kernel
MEMORY = 64 << 20                     # what the Pods of these tests may have


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "pods").mkdir()
    yield tmp_path
    unmount_below(str(tmp_path))


def mounting(*mounts: tuple[str, str]) -> Container:
    return container(volume_mounts=tuple(VolumeMount(name=name, mount_path=path) for name, path in mounts))


def volumes_of(space: Path) -> PodVolumes:
    return PodVolumes(space / "pods", local_plugins(Objects(), lambda _: MEMORY))


def memory(name: str, size_limit: str = "") -> Volume:
    return Volume(name=name, empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit=size_limit))


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def size_of(path: str) -> int:
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize


@pytest.mark.req("VOL-02")
async def test_memory_is_as_large_as_its_limit_and_never_larger_than_the_pod(space: Path) -> None:
    names = ("small", "large", "open")
    volumes = (memory("small", "8Mi"), memory("large", "1Gi"), memory("open"))
    wanted = pod(mounting(*((name, f"/{name}") for name in names)), volumes=volumes)

    made = await volumes_of(space).set_up(wanted)

    assert [size_of(made[name].path) for name in names] == [8 << 20, MEMORY, MEMORY]
    assert [mode_of(made[name].path) & 0o777 for name in names] == [0o777] * 3


async def test_what_comes_from_secrets_lies_in_memory_and_nothing_stays(space: Path) -> None:
    token = VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token"))
    wanted = pod(
        mounting(("s", "/s"), ("p", "/p"), ("m", "/m")),
        volumes=(Volume(name="s", secret=SecretVolumeSource(secret_name="keys")), memory("m"),
                 Volume(name="p", projected=ProjectedVolumeSource(sources=(token,)))),
    )
    volumes = volumes_of(space)

    made = await volumes.set_up(wanted)
    again = await volumes_of(space).set_up(wanted)         # a kubelet that was started again

    assert made == again and made["s"].read_only and made["p"].read_only and not made["m"].read_only
    for volume in made.values():
        kind = subprocess.run(["stat", "-f", "-c", "%T", volume.path], capture_output=True, text=True, check=True)  # noqa: ASYNC221
        assert kind.stdout.strip() == "tmpfs"
    assert sum(str(space) in line for line in Path("/proc/self/mountinfo").read_text().splitlines()) == 3
    await volumes.tear_down(UID)
    assert str(space) not in Path("/proc/self/mountinfo").read_text()
    assert list((space / "pods" / UID).iterdir()) == []


@pytest.mark.req("SCX-02")
async def test_files_belong_to_the_pods_group(space: Path) -> None:
    token = VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token"))
    secret = SecretVolumeSource(secret_name="keys", items=(KeyToPath(key="key", path="deep/key", mode=0o400),))
    wanted = pod(
        mounting(("d", "/d"), ("m", "/m"), ("s", "/s"), ("p", "/p")), security_context=PodSecurityContext(fs_group=2000, run_as_user=1000),
        volumes=(
            Volume(name="d", empty_dir=EmptyDirVolumeSource()), memory("m"), Volume(name="s", secret=secret),
            Volume(name="p", projected=ProjectedVolumeSource(sources=(token,))),
        ),
    )

    made = {name: Path(volume.path) for name, volume in (await volumes_of(space).set_up(wanted)).items()}

    assert {path.stat().st_gid for path in made.values()} == {2000}
    assert all(mode_of(path) & 0o2770 == 0o2770 for path in (made["d"], made["m"]))
    key, token_file = made["s"] / "deep/key", made["p"] / "..data/token"      # its link is the user's, for nobody else to follow
    assert (mode_of(key), key.stat().st_gid, mode_of(key.parent) & 0o2050) == (0o440, 2000, 0o2050)
    assert (mode_of(token_file), token_file.stat().st_uid, token_file.stat().st_gid) == (0o640, 1000, 2000)


@pytest.mark.req("SCX-02")
def test_a_root_that_fits_spares_the_look_at_all_files(space: Path) -> None:
    root = space / "data"
    (root / "deep").mkdir(parents=True)
    (root / "deep/file").write_text("")
    (root / "deep/file").chmod(0o600)
    (root / "out").symlink_to(space / "other")
    (space / "other").mkdir(mode=0o700)
    before = os.stat(space / "other")

    assert apply_fs_group(str(root), 2000, policy="OnRootMismatch") == 4
    assert (mode_of(root), mode_of(root / "deep/file"), os.stat(root / "deep/file").st_gid) == (0o2775, 0o660, 2000)
    os.chown(root / "deep/file", -1, 3000)

    assert apply_fs_group(str(root), 2000, policy="OnRootMismatch") == 0
    assert os.stat(root / "deep/file").st_gid == 3000
    assert apply_fs_group(str(root), 2000, policy="Always") == 4
    assert os.stat(root / "deep/file").st_gid == 2000
    assert (os.lstat(root / "out").st_gid, os.stat(space / "other")) == (2000, before)
    assert apply_fs_group(str(root), None) == 0


async def test_a_place_for_another_volume_within_one_of_files(space: Path) -> None:
    wanted = pod(
        mounting(("cm", "/etc/app"), ("d", "/etc/app/cache/x"), ("e", "/etc/app/cache/x/y"), ("e", "/etc/application")),
        volumes=(
            Volume(name="cm", config_map=ConfigMapVolumeSource(name="settings")), Volume(name="d", empty_dir=EmptyDirVolumeSource()),
            Volume(name="e", empty_dir=EmptyDirVolumeSource()),
        ),
    )
    volumes = volumes_of(space)

    directory = Path((await volumes.set_up(wanted))["cm"].path)
    await volumes.refresh(wanted)

    assert (directory / "cache/x").is_dir() and not (directory / "cache/x/y").exists()
    assert {entry.name for entry in directory.iterdir() if not entry.name.startswith("..")} == {"a", "b", "cache"}


class Mounts:
    """What a container gets of one volume at `path`."""

    def __init__(self, space: Path, path: Path) -> None:
        self._space, self._path = space, path

    def source(self, **mount: object) -> str:
        given = container(volume_mounts=(VolumeMount(**{"name": "v", "mount_path": "/v", **mount}),))    # type: ignore[arg-type]
        (made,) = volume_mounts(given, {"v": MountedVolume(str(self._path))}, self._space / "pods/u", lambda text: text)
        return made.source


def test_mounts_spread_only_from_where_mounts_are_shared(space: Path) -> None:
    volume = space / "volume"
    volume.mkdir()
    mount(str(volume), str(volume), flags=MS_BIND)
    mounts = Mounts(space, volume)
    mount("none", str(volume), flags=MS_PRIVATE)
    for propagation, kind in (("Bidirectional", "shared"), ("HostToContainer", "shared or slave")):
        with pytest.raises(ContainerMountError, match=f'^path "{volume}" is mounted on "{volume}" but it is not a {kind} mount$'):
            mounts.source(mount_propagation=propagation)
    assert mounts.source(mount_propagation="None") == str(volume)

    mount("none", str(volume), flags=MS_SHARED)

    assert mounts.source(mount_propagation="Bidirectional") == mounts.source(mount_propagation="HostToContainer") == str(volume)


def test_a_kubelets_directory_is_shared_once(space: Path) -> None:
    outer, inner = space / "machine", space / "machine/kubelet"
    inner.mkdir(parents=True)
    mount(str(outer), str(outer), flags=MS_BIND)
    mount("none", str(outer), flags=MS_PRIVATE)

    assert make_shared(str(inner)) and not make_shared(str(inner))

    point = MountTable.read().holding(str(inner / "pods"))
    assert (point.path, point.shared) == (str(inner), True)
    assert not MountTable.read().holding(str(outer)).shared


@pytest.mark.parametrize(("mount", "message"), [
    ({"sub_path": "/etc"}, "error SubPath `/etc` must not be an absolute path"),
    ({"sub_path_expr": "a/../../b"}, "unable to provision SubPath `a/../../b`: must not contain '..'"),
    ({"sub_path": "out"}, 'failed to prepare subPath for volumeMount "v" of container "main"'),
    ({"sub_path": "out/shadow"}, 'failed to prepare subPath for volumeMount "v" of container "main"'),
    ({"sub_path": "loop/x"}, 'failed to prepare subPath for volumeMount "v" of container "main"'),
    ({"sub_path": "up/x"}, 'failed to prepare subPath for volumeMount "v" of container "main"'),
    ({"sub_path": "file/x"}, 'failed to prepare subPath for volumeMount "v" of container "main"'),
    (
        {"recursive_read_only": "Enabled"},
        'failed to resolve recursive read-only mode: volume "v" requested recursive read-only mode, but it is not read-only',
    ),
])
def test_mounts_that_no_container_gets(space: Path, mount: dict[str, object], message: str) -> None:
    volume = space / "volume"
    volume.mkdir()
    (volume / "out").symlink_to("/etc")
    (volume / "loop").symlink_to("loop")
    (volume / "up").symlink_to("../..")
    (volume / "file").write_text("")

    with pytest.raises(ContainerMountError) as error:
        Mounts(space, volume).source(**mount)

    assert str(error.value) == message
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(space) in line]


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.kernel.test_volumes_kinds import all_kinds, volumes_of
volumes = volumes_of(Path(sys.argv[1]))
async def main():
    print("ready", flush=True)
    while True:
        await volumes.set_up(all_kinds())
        await volumes.tear_down(all_kinds().metadata.uid)
asyncio.run(main())
"""


def all_kinds() -> Pod:
    token = VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="deep/token"))
    volumes = (
        Volume(name="d", empty_dir=EmptyDirVolumeSource()), memory("m"), Volume(name="s", secret=SecretVolumeSource(secret_name="keys")),
        Volume(name="cm", config_map=ConfigMapVolumeSource(name="settings")),
        Volume(name="p", projected=ProjectedVolumeSource(sources=(token,))),
    )
    return pod(
        mounting(*((volume.name, f"/{volume.name}") for volume in volumes)), volumes=volumes,
        security_context=PodSecurityContext(fs_group=2000))


async def test_a_kubelet_that_is_killed_leaves_nothing_that_the_next_does_not_find(space: Path) -> None:
    random = Random(7)
    for _ in range(8):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, str(space), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2])
        try:
            assert child.stdout is not None and await child.stdout.readline() == b"ready\n"
            await asyncio.sleep(random.uniform(0, 0.03))
        finally:
            child.kill()
            await child.wait()

        made = await volumes_of(space).set_up(all_kinds())

        for name, file in (("cm", "a"), ("s", "key"), ("p", "deep/token")):
            assert (Path(made[name].path) / file).stat().st_gid == 2000
        assert mode_of(made["d"].path) == 0o2777 and size_of(made["m"].path) == MEMORY
        await volumes_of(space).tear_down(UID)
        assert str(space) not in Path("/proc/self/mountinfo").read_text()
        assert list((space / "pods" / UID).iterdir()) == []
