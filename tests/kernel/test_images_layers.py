"""Layers on disk: what tars say and what overlayfs then shows; hostile and broken ones, full disks, loaders side by side."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.cluster import down, machines
from node_agent.runtime.image_catalog import ImageCatalog
from node_agent.runtime.image_load import LoadError, load_images
from node_agent.runtime.layers import discard_overlay, mount_overlay
from node_agent.runtime.model import Image
from node_agent.runtime.syscalls import mount, unmount
from tests.support.image_archives import Entry, docker_archive, entry, folder, hardlink, layer, oci_layout, symlink

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).resolve().parents[2]
OPAQUE = ".wh..wh..opq"
CAPABILITY = b"\x01\x00\x00\x02\x00\x20\x00\x00" + b"\0" * 12       # cap_net_raw=ep


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "images"


def load(store: Path, *layers: bytes, name: str = "app:1") -> Image:
    archive = docker_archive(layers, name).tar(store.parent / "image.tar")
    (image,) = load_images(archive, store)
    return image


@contextmanager
def mounted(image: Image, folder_: Path) -> Iterator[Path]:
    folder_.mkdir()
    try:
        yield Path(mount_overlay(image.layers, folder_))
    finally:
        discard_overlay(folder_)


def refused(store: Path, *layers: bytes) -> str:
    """What the loader says; it leaves nothing."""
    with pytest.raises(LoadError) as caught:
        load(store, *layers)
    assert not (store / "catalog.json").exists()
    assert list((store / "loading").iterdir()) == []
    left = {path.name for path in (store / "layers").iterdir()}
    assert len(left) <= 2 * (len(layers) - 1)           # whole ones below the bad one, and their sizes
    return str(caught.value)


def tree(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def test_owners_modes_links_devices_and_attributes_survive(store: Path, tmp_path: Path) -> None:
    image = load(store, layer(
        entry("bin/su", "x", mode=0o4755), entry("bin/wall", "x", mode=0o2755, gid=5), folder("tmp", mode=0o1777),
        entry("home/file", "y", mode=0o600, uid=1000, gid=100, pax_headers={"SCHILY.xattr.user.note": "ü"}),
        entry("bin/ping", "z", pax_headers={"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}),
        hardlink("bin/su2", "bin/su"), symlink("lib", "usr/lib"), entry("lib64", kind=tarfile.FIFOTYPE),
        entry("dev/full", kind=tarfile.CHRTYPE, devmajor=1, devminor=7, mode=0o666), entry("ünï\n", "odd name"),
    ))
    with mounted(image, tmp_path / "c") as root:
        assert stat.S_IMODE((root / "bin/su").stat().st_mode) == 0o4755
        assert (root / "bin/su").stat().st_ino == (root / "bin/su2").stat().st_ino
        assert (root / "bin/wall").stat().st_gid == 5 and (root / "bin/wall").stat().st_mode & stat.S_ISGID
        file = (root / "home/file").stat()
        assert (file.st_uid, file.st_gid, stat.S_IMODE(file.st_mode), file.st_mtime) == (1000, 100, 0o600, 1_000_000_000)
        assert os.getxattr(root / "home/file", "user.note") == "ü".encode()
        assert os.getxattr(root / "bin/ping", "security.capability")[:4] == CAPABILITY[:4]
        assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
        assert os.readlink(root / "lib") == "usr/lib"
        assert stat.S_ISFIFO((root / "lib64").stat().st_mode)
        assert (root / "dev/full").stat().st_rdev == os.makedev(1, 7)
        assert (root / "ünï\n").read_text() == "odd name"
    assert stat.S_IMODE((store / "layers").stat().st_mode) == 0o700      # its setuid programs are for containers only


BELOW = layer(folder("dir", mode=0o1750, uid=7), entry("dir/a", "a"), entry("dir/b", "b"), entry("dir/sub/c", "c"), symlink("link", "dir"))


@pytest.mark.parametrize(("above", "seen"), [
    ([entry("dir/.wh.a")], ["dir", "dir/b", "dir/sub", "dir/sub/c", "link"]),
    ([entry(".wh.dir")], ["link"]),
    ([entry(".wh.link"), entry("dir/.wh.nothing"), entry("none/.wh.nothing")],
     ["dir", "dir/a", "dir/b", "dir/sub", "dir/sub/c", "none"]),
    ([entry(f"dir/{OPAQUE}"), entry("dir/new", "n")], ["dir", "dir/new", "link"]),
    ([entry("dir/new", "n"), entry("dir/.wh.b"), entry(f"dir/{OPAQUE}")], ["dir", "dir/new", "link"]),
    ([entry(".wh.dir"), folder("dir"), entry("dir/new", "n")], ["dir", "dir/new", "link"]),
    ([folder("dir"), entry("dir/new", "n"), entry(".wh.dir")], ["dir", "dir/new", "link"]),
    ([entry("dir", "a file now")], ["dir", "link"]),
    ([folder("link"), entry("link/x", "x")], ["dir", "dir/a", "dir/b", "dir/sub", "dir/sub/c", "link", "link/x"]),
    ([entry("dir/sub", kind=tarfile.CHRTYPE)], ["dir", "dir/a", "dir/b", "link"]),
    ([entry(".wh..wh.aufs"), entry(".wh..wh.plnk/1.2", "x")], ["dir", "dir/a", "dir/b", "dir/sub", "dir/sub/c", "link"]),
])
def test_whiteouts(above: Sequence[Entry], seen: list[str], store: Path, tmp_path: Path) -> None:
    image = load(store, BELOW, layer(*above))

    with mounted(image, tmp_path / "c") as root:
        assert tree(root) == seen
        listed = [name for directory, _, _ in os.walk(root) for name in os.listdir(directory)]
        assert len(listed) == len(seen)             # no device shows through


def test_a_whiteout_holds_over_several_layers(store: Path, tmp_path: Path) -> None:
    image = load(store, BELOW, layer(entry(".wh.dir")), layer(entry("dir/late", "l")), layer(entry("dir/.wh.late"), entry("dir/.wh.a")))

    with mounted(image, tmp_path / "c") as root:
        assert tree(root) == ["dir", "link"]
        assert stat.S_IMODE((root / "dir").stat().st_mode) == 0o755         # a new one: what was below is gone


def test_a_directory_that_the_tar_does_not_name_stays_as_it_was(store: Path, tmp_path: Path) -> None:
    image = load(store, layer(folder("dir", mode=0o1750, uid=7)), layer(entry("dir/x", "x")))

    with mounted(image, tmp_path / "c") as root:
        assert (stat.S_IMODE((root / "dir").stat().st_mode), (root / "dir").stat().st_uid) == (0o1750, 7)


@pytest.mark.parametrize("entries", [
    [entry("../escaped", "x")], [entry("a/../../escaped", "x")], [hardlink("a", "../../etc/passwd")], [entry("a/../../.wh.escaped")],
])
def test_names_that_lead_out_are_refused(entries: list[Entry], store: Path) -> None:
    assert "leads out of the image" in refused(store, layer(*entries))


@pytest.mark.parametrize("target", ["/", "../../../../..", "/proc/self/root", "{outside}"])
def test_links_lead_nowhere_but_into_the_image(target: str, store: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    link = symlink("link", target.format(outside=outside))
    load(store, layer(link, entry("link/planted", "x"), entry("link/kept", "y", mode=0o4777), entry("/absolute", "z")))

    assert (tree(outside), (outside / "kept").read_text()) == (["kept"], "kept")
    assert not Path("/planted").exists() and not Path("/absolute").exists()


@pytest.mark.parametrize(("entries", "message"), [
    ([hardlink("a", "etc/passwd")], "which is not there"), ([entry("a", "x"), entry("a/b", "y")], "'a/b': "),
    ([entry("a", kind=b"Q")], "entries of type b'Q' are unknown"), ([entry(".wh..")], "hides nothing that could be"),
    ([entry("x" * 300, "x")], "File name too long"), ([entry("a", uid=-1)], "nobody has the number -1:0"),
    ([symlink("a", "a"), entry("a/b", "x")], "'a/b': "), ([entry(".", kind=tarfile.SYMTYPE, linkname="/etc")], "no directory"),
])
def test_impossible_entries_are_named(entries: list[Entry], message: str, store: Path) -> None:
    said = refused(store, layer(entry("good", "g")), layer(*entries))

    assert message in said
    assert said.startswith(f"{store.parent}/image.tar: layer 2 of 2, sha256:")


def damaged(change: Callable[[bytearray], bytes]) -> bytes:
    return change(bytearray(layer(entry("a", "a" * 2000), entry("b", "b" * 2000))))


def test_broken_tars(store: Path) -> None:
    def header(content: bytearray) -> bytes:
        content[512 + 2048 + 10] ^= 1
        return bytes(content)

    assert "the header of an entry is damaged" in refused(store, damaged(header))
    assert "unexpected end of data" in refused(store, damaged(lambda content: bytes(content[:3700])))
    assert "broken tar" in refused(store, b"no tar at all" * 1000)


def test_a_header_that_would_fill_the_memory(store: Path) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 7 << 30

    assert "larger than any should be" in refused(store, info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 4096)


def test_overlayfs_takes_no_orders_from_an_image(store: Path) -> None:
    orders = {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.opaque": "y"}
    image = load(store, layer(folder("dir", pax_headers=orders)))

    assert os.listxattr(Path(image.layers[0], "dir")) == []


def test_a_layer_with_a_wrong_digest_is_not_kept(store: Path) -> None:
    files = oci_layout([layer(entry("a", "a"))], "app")
    blob = next(name for name, content in files.content.items() if content.startswith(b"\x1f\x8b"))
    for content, message in ((layer(entry("a", "b")), "compressed, is sha256:"), (files.content[blob][:-9], "truncated gzip")):
        files.content[blob] = content
        with pytest.raises(LoadError, match=message):
            load_images(files.directory(store.parent / "layout"), store)
    swapped = docker_archive([layer(entry("a", "a"))], "app")
    swapped.content["0/layer.tar"] = layer(entry("a", "b"))
    with pytest.raises(LoadError, match="unpacked, is sha256:"):
        load_images(swapped.tar(store.parent / "image.tar"), store)

    assert list((store / "layers").iterdir()) == []


def test_zstd_and_streams(store: Path) -> None:
    def zstd(data: bytes) -> bytes:
        return subprocess.run(["zstd", "-q"], input=data, capture_output=True, check=True).stdout

    if shutil.which("zstd") is None:
        pytest.skip("zstd is not installed")
    files = oci_layout([layer(entry("a", os.urandom(3 << 20)))], "app", compress=zstd)
    archive = files.tar(store.parent / "x.tar")
    read, write = os.pipe()
    with subprocess.Popen(["zstd", "-qc", archive], stdout=write) as process, open(read, "rb") as stream:
        os.close(write)
        (image,) = load_images(stream, store)
    assert (process.returncode, image.size) == (0, 3 << 20)

    shutil.rmtree(store)
    blob = next(name for name, content in files.content.items() if content.startswith(b"\x28\xb5"))
    files.content[blob] = files.content[blob][:-1000]
    with pytest.raises(LoadError, match="broken zstd"):
        load_images(files.directory(store.parent / "layout"), store)


def test_a_full_disk_leaves_the_store_as_it_was(store: Path) -> None:
    store.mkdir()
    mount("tmpfs", str(store), "tmpfs", 0, "size=4m")
    try:
        small = load(store, layer(entry("small", "s")), name="small:1")
        before = tree(store)
        for source in (layer(entry("big", bytes(8 << 20))), layer(*(entry(f"f{i}", bytes(4000)) for i in range(2000)))):
            archive = docker_archive([source], "big:1").tar(store.parent / "big.tar")
            with pytest.raises(LoadError, match=r"big.tar: layer 1 of 1, .*No space left on device"):
                load_images(archive, store)
            with archive.open("rb") as file, pytest.raises(LoadError, match=r"standard input: .*No space left on device"):
                load_images(Unseekable(file.read()), store)
            assert tree(store) == before
        assert Path(small.layers[0], "small").read_text() == "s"
    finally:
        unmount(str(store))


class Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False


def test_equal_layers_are_unpacked_once_and_names_move(store: Path) -> None:
    base, first, second = layer(entry("base", "0")), layer(entry("v", "1")), layer(entry("v", "2"))
    one = load(store, base, first)
    two = load(store, base, second)

    assert one.layers[-1] == two.layers[-1]
    assert len([path for path in (store / "layers").iterdir() if path.is_dir()]) == 3
    assert (one.tags, two.tags) == (("docker.io/library/app:1",), ("docker.io/library/app:1",))
    assert one.digest != two.digest


def test_as_many_layers_as_docker_has(store: Path, tmp_path: Path) -> None:
    image = load(store, *(layer(entry(f"f{i}", str(i))) for i in range(127)))
    here = os.getcwd()

    with mounted(image, tmp_path / "c") as root:
        assert len(tree(root)) == 127
        assert os.getcwd() == here


def test_an_image_without_layers(store: Path, tmp_path: Path) -> None:
    with mounted(load(store), tmp_path / "c") as root:
        assert tree(root) == []


def test_loaders_side_by_side_and_one_that_was_killed(store: Path) -> None:
    layers = [layer(*(entry(f"l{n}/f{i}", bytes(1000)) for i in range(300))) for n in range(3)]
    (store / "loading/dead").mkdir(parents=True)
    (store / "loading/dead/file").write_text("left by a loader that was killed")
    program = (
        "import sys; from pathlib import Path; from node_agent.runtime.image_load import load_images; "
        "load_images(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    archives = [docker_archive(layers, f"app:{n}").tar(store.parent / f"{n}.tar") for n in range(4)]
    loaders = [
        subprocess.Popen([sys.executable, "-c", program, archive, store], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        for archive in archives
    ]
    assert [loader.wait(60) for loader in loaders] == [0, 0, 0, 0]

    (image,) = ImageCatalog(store).list()
    assert image.tags == tuple(f"docker.io/library/app:{n}" for n in range(4))
    assert list((store / "loading").iterdir()) == []
    assert len(list((store / "layers").iterdir())) == 6


def test_down_all_removes_whatever_images_hold(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load(
        store, BELOW, layer(
            entry("dir/.wh.a"), entry(f"dir/sub/{OPAQUE}"), folder("closed", mode=0), entry("closed/x", "x", mode=0),
            entry("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3),
        ),
    )
    monkeypatch.setattr(down, "STATE_ROOT", store)
    monkeypatch.setattr(machines, "mount_points", list)

    down.remove_caches()

    assert not store.exists()
