"""subPath mounts: what is mounted is what was looked at, and nothing below a mount is deleted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_agent.runtime.mounts import unmount_below
from node_agent.runtime.syscalls import MS_BIND, mount
from node_agent.volumes.pod_volumes import SUB_PATHS, PodVolumes
from node_agent.volumes.registry import local_plugins
from node_agent.volumes.sub_paths import SubPathError, bind_sub_path
from tests.unit.test_volumes_files import Objects

pytestmark = pytest.mark.kernel


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "volume/data").mkdir(parents=True)
    (tmp_path / "volume/data/file").write_text("ours")
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").write_text("the host's")
    yield tmp_path
    unmount_below(str(tmp_path))


def mounted(place: str) -> bool:
    return subprocess.run(["mountpoint", "-q", place], check=False).returncode == 0


def test_a_part_of_a_volume_is_mounted(space: Path) -> None:
    place = bind_sub_path(str(space / "volume"), "data", space / "place")

    assert mounted(place) and Path(place, "file").read_text() == "ours"


def test_a_file_is_mounted_too_and_again(space: Path) -> None:
    bind_sub_path(str(space / "volume"), "data", space / "place")
    unmount_below(str(space))

    place = bind_sub_path(str(space / "volume"), "data/file", space / "place")
    place = bind_sub_path(str(space / "volume"), "data/file", space / "place")

    assert Path(place).read_text() == "ours"


def test_a_link_within_the_volume_is_followed_and_one_that_leads_out_is_not(space: Path) -> None:
    (space / "volume/inner").symlink_to("data")
    (space / "volume/outer").symlink_to(space / "host")

    place = bind_sub_path(str(space / "volume"), "inner", space / "place")
    with pytest.raises(SubPathError, match="leaves the volume"):
        bind_sub_path(str(space / "volume"), "outer", space / "other")

    assert Path(place, "file").read_text() == "ours"


def test_a_link_put_there_between_look_and_mount_changes_nothing(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The race of CVE-2017-1002101: the path was fine when it was resolved, and is a link when it is used."""
    real = os.path.realpath

    def realpath_then_swap(path: str) -> str:
        resolved = real(path)
        if path.endswith("data"):
            (space / "volume/data").rename(space / "volume/gone")
            (space / "volume/data").symlink_to(space / "host")
        return resolved

    monkeypatch.setattr(os.path, "realpath", realpath_then_swap)

    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        bind_sub_path(str(space / "volume"), "data", space / "place")


def test_missing_parts_can_be_written_by_whom_the_volume_lets(space: Path) -> None:
    (space / "volume").chmod(0o777)

    bind_sub_path(str(space / "volume"), "new/deep", space / "place")

    assert (space / "volume/new/deep").stat().st_mode & 0o777 == 0o777


async def test_taking_a_pod_down_deletes_nothing_behind_its_mounts(space: Path) -> None:
    pods = space / "pods"
    place = bind_sub_path(str(space / "host"), ".", space / "unused")
    assert place == str(space / "host")
    (space / "host/kept").mkdir()
    bind_sub_path(str(space / "host"), "kept", pods / "uid" / SUB_PATHS / "v" / "c" / "0")
    (space / "host/kept/precious").touch()
    inner = pods / "uid/volumes/kubernetes.io~empty-dir/v/inner"
    inner.mkdir(parents=True)
    mount(str(space / "host"), str(inner), flags=MS_BIND)      # as a container with propagation could

    await PodVolumes(pods, local_plugins(Objects(), lambda _: 0)).tear_down("uid")

    assert (space / "host/kept/precious").exists() and (space / "host/file").exists()
    assert not list((pods / "uid").iterdir())
