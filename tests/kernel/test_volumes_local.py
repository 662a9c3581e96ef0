"""local volumes: a directory, and a disk whose file system is mounted once for all Pods of the node; and what stays behind a mount."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kube.api.core_v1 import PersistentVolumeSpec, Pod
from node_agent.runtime.layers import mount_image
from node_agent.runtime.mounts import MountTable, bind, mounted_from, unmount_below
from node_agent.runtime.syscalls import MS_BIND, mount
from node_agent.volumes.persistent import disks
from node_agent.volumes.persistent.csi.volume_data import VolumeData, remove, save
from node_agent.volumes.persistent.local import LocalSource
from node_agent.volumes.persistent.source import SourceTask
from node_agent.volumes.plugin import VolumeTask

MIB = 1 << 20


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Path]:
    try:
        yield tmp_path
    finally:
        unmount_below(str(tmp_path))


@pytest.fixture
def disk(space: Path) -> Iterator[str]:
    if not (shutil.which("mkfs.ext4") and os.path.exists("/dev/loop-control")):
        pytest.skip("no loop devices here")
    image = space / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    device = disks.run("losetup", "-f", "--show", str(image))
    try:
        yield device
    finally:
        unmount_below(str(space))
        disks.run("losetup", "-d", device)


def task(space: Path, path: str, uid: str = "p1", *, read_only: bool = False) -> SourceTask:
    pod = msgspec.convert({"metadata": {"name": uid, "uid": uid}, "spec": {"volumes": [{"name": "v"}]}}, Pod)
    spec = msgspec.convert({"local": {"path": path}}, PersistentVolumeSpec)
    inner = VolumeTask(pod=pod, volume=pod.spec.volumes[0], pod_dir=space / "pods" / uid)
    return SourceTask(task=inner, name="pv", spec=spec, read_only=read_only)


def directory(space: Path, name: str = "data") -> str:
    (space / name).mkdir()
    (space / name / "kept").write_text("x")
    return str(space / name)


@pytest.mark.req("PVC-05")
async def test_a_disk_goes_with_the_last_pod_that_has_it(space: Path, disk: str) -> None:
    source, place = LocalSource(space), space / "plugins/kubernetes.io/local-volume/mounts/pv"
    first, second = await asyncio.gather(source.set_up(task(space, disk)), source.set_up(task(space, disk, "p2")))
    (Path(first.path) / "kept").write_text("x")
    assert (Path(second.path) / "kept").read_text() == "x"

    await source.tear_down(Path(first.path))
    assert mounted_from(place) == disk

    await source.tear_down(Path(second.path))
    assert not place.exists()
    assert not [point for point in MountTable.read().points if point.path.startswith(str(space))]


async def test_a_directory_is_not_the_pods_to_take_away(space: Path) -> None:
    source, path = LocalSource(space), directory(space)
    mounted = await source.set_up(task(space, path))
    assert (Path(mounted.path) / "kept").read_text() == "x"

    await source.tear_down(Path(mounted.path))

    assert (Path(path) / "kept").read_text() == "x"
    assert not mounted_from(mounted.path)


async def test_a_mount_that_was_begun_becomes_read_only_before_it_is_used(space: Path) -> None:
    """A kubelet may be killed between the two steps that such a mount takes."""
    path, begun = directory(space), task(space, str(space / "data"), read_only=True)
    place = begun.directory("local-volume")
    place.mkdir(parents=True)
    mount(path, str(place), flags=MS_BIND)

    mounted = await LocalSource(space).set_up(begun)

    assert mounted.read_only
    with pytest.raises(OSError, match="Read-only file system"):
        (Path(mounted.path) / "new").write_text("x")


def test_an_image_of_one_layer_is_mounted_once_however_often_it_is_asked_for(space: Path) -> None:
    layer, place = directory(space, "layer"), space / "image"

    for _ in range(3):
        mount_image([layer], place)

    assert [point.path for point in MountTable.read().points].count(str(place)) == 1


def test_names_with_blanks_and_letters_of_all_kinds(space: Path) -> None:
    place = space / "Größe 1"
    place.mkdir()

    bind(directory(space), str(place))

    assert mounted_from(place)
    unmount_below(str(space))
    assert not mounted_from(place)


def test_what_a_driver_left_mounted_is_not_deleted(space: Path) -> None:
    """Its driver said that it is unmounted; what lies behind is somebody's data."""
    folder = space / "pods/p1/volumes/kubernetes.io~csi/pv"
    save(folder, VolumeData("csi.example", "h"))
    (folder / "mount").mkdir()
    bind(directory(space), str(folder / "mount"))

    with pytest.raises(OSError, match="still mounted"):
        remove(folder, "mount")

    assert (space / "data/kept").read_text() == "x"
    unmount_below(str(folder))
    remove(folder, "mount")
    assert not folder.exists()
