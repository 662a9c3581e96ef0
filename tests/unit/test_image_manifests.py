"""What archives hold: names, platforms, layers, and what is said of those that are broken or foreign."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from node_agent.runtime.image_archive import DirectoryArchive, ImageArchiveError, decompressed, open_archive
from node_agent.runtime.image_manifest import FoundImage, find_images
from node_agent.runtime.platforms import Platform
from tests.support.image_archives import (
    CONTAINERD_NAME,
    REF_NAME,
    Files,
    add_index,
    add_manifest,
    docker_archive,
    entry,
    finish_layout,
    folder,
    layer,
    oci_layout,
    symlink,
)

LAYERS = [layer(folder("bin")), layer(entry("bin/tool", "x"))]
OWN, ARM = Platform.own(), "linux/arm64" if Platform.own().architecture != "arm64" else "linux/amd64"


def found(files: Files, tmp_path: Path, *, platform: str = "", base_name: str = "") -> list[FoundImage]:
    path = files.tar(tmp_path / "image.tar")
    with open_archive(path, tmp_path) as archive:
        return find_images(archive, Platform.parse(platform) if platform else None, base_name)


def refusal(files: Files, tmp_path: Path, **more: Any) -> str:
    with pytest.raises(ImageArchiveError) as caught:
        found(files, tmp_path, **more)
    return str(caught.value)


def test_a_docker_archive_has_its_tags_and_its_configuration(tmp_path: Path) -> None:
    files = docker_archive(
        LAYERS, "app:1", "registry.example/team/app", Entrypoint=["/bin/tool"], Cmd=["-v"], Env=["A=1"], WorkingDir="/srv", User="101",
        StopSignal="SIGRTMIN+3", Labels={"a": "b"}, Volumes={"/data": {}}, ExposedPorts={"80/tcp": {}},
    )
    (image,) = found(files, tmp_path)

    assert image.names == ("docker.io/library/app:1", "registry.example/team/app:latest")
    assert [blob.name for blob in image.layers] == ["0/layer.tar", "1/layer.tar"]
    config = image.config
    assert (config.entrypoint, config.cmd, config.env) == (("/bin/tool",), ("-v",), ("A=1",))
    assert (config.working_dir, config.user, config.stop_signal) == ("/srv", "101", "37")
    assert (config.labels, config.volumes, config.exposed_ports) == ({"a": "b"}, ("/data",), ("80/tcp",))


def test_a_configuration_may_leave_everything_out(tmp_path: Path) -> None:
    (image,) = found(docker_archive(LAYERS, "app", Entrypoint=None, Env=None, Labels=None), tmp_path)

    assert (image.config.entrypoint, image.config.working_dir, image.config.stop_signal) == ((), "/", "SIGTERM")


@pytest.mark.parametrize(("annotations", "base_name", "names"), [
    ({CONTAINERD_NAME: "docker.io/library/app:2", REF_NAME: "2"}, "file", ("docker.io/library/app:2",)),
    ({REF_NAME: "quay.io/team/app:3"}, "file", ("quay.io/team/app:3",)),
    ({REF_NAME: "4"}, "docker.io/library/file", ("docker.io/library/file:4",)),
    ({REF_NAME: "4"}, "", ()),
    ({}, "docker.io/library/file", ()),
])
def test_names_of_a_layout(annotations: dict[str, str], base_name: str, names: tuple[str, ...], tmp_path: Path) -> None:
    files = Files()
    finish_layout(files, (add_manifest(files, LAYERS), annotations))

    (image,) = found(files, tmp_path, base_name=base_name)
    assert image.names == names


def test_a_directory_is_read_like_an_archive(tmp_path: Path) -> None:
    files = oci_layout(LAYERS, "app:1")

    (image,) = find_images(DirectoryArchive(files.directory(tmp_path / "layout")), None, "")
    assert image == found(files, tmp_path)[0]


def test_the_machines_own_platform_is_the_default(tmp_path: Path) -> None:
    files = Files()
    manifests = {
        "linux/s390x": add_manifest(files, LAYERS, platform="linux/s390x"), ARM: add_manifest(files, LAYERS[:1], platform=ARM),
        str(OWN): add_manifest(files, LAYERS), "unknown/unknown": add_manifest(files, []),
    }
    finish_layout(files, (add_index(files, manifests), {CONTAINERD_NAME: "app:1"}))

    (own,) = found(files, tmp_path)
    (other,) = found(files, tmp_path, platform=ARM)

    assert own.manifest_digest == manifests[str(OWN)]["digest"]
    assert other.manifest_digest == manifests[ARM]["digest"]
    assert own.digest == other.digest != own.manifest_digest            # the index stands for all
    message = refusal(files, tmp_path, platform="linux/riscv64")
    assert message.startswith("it has nothing for linux/riscv64; it has linux/")
    assert "linux/s390x" in message and "unknown" not in message


def test_platforms_may_stand_side_by_side(tmp_path: Path) -> None:
    files = Files()
    descriptors = [
        {**add_manifest(files, LAYERS, platform=platform), "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True))}
        for platform in (ARM, str(OWN))
    ]
    finish_layout(files, *((descriptor, {CONTAINERD_NAME: "app:1"}) for descriptor in descriptors))

    (image,) = found(files, tmp_path)
    assert image.digest == descriptors[1]["digest"]


def test_an_image_for_another_machine_is_refused_unless_asked_for(tmp_path: Path) -> None:
    files = docker_archive(LAYERS, "app", platform=ARM)

    assert refusal(files, tmp_path) == f"it is for {ARM}, and this machine is {OWN}; --platform {ARM} loads it all the same"
    assert len(found(files, tmp_path, platform=ARM)) == 1


@pytest.mark.parametrize(("text", "other", "fits"), [
    ("linux/arm64", "linux/arm64/v8", True), ("arm64", "linux/aarch64", True), ("linux/arm/v7", "linux/arm", True),
    ("linux/arm/v6", "linux/arm/v7", False), ("linux/amd64", "windows/amd64", False), ("x86_64", "linux/amd64", True),
])
def test_platforms(text: str, other: str, fits: bool) -> None:
    assert Platform.parse(text).takes(Platform(*other.split("/"))) is fits


@pytest.mark.parametrize("text", ["", "a/b/c/d", "linux/", "Linux/ARM 64"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(ValueError, match="is no platform"):
        Platform.parse(text)


def test_a_link_to_a_shared_layer_is_followed(tmp_path: Path) -> None:
    files = docker_archive([LAYERS[0], LAYERS[0]], "app")
    content = dict(files.content)
    del content["1/layer.tar"]
    path = tmp_path / "linked.tar"
    path.write_bytes(layer(*(entry(name, data) for name, data in content.items()), symlink("1/layer.tar", "../0/layer.tar")))

    with open_archive(path, tmp_path) as archive, archive.open("1/layer.tar") as file:
        assert file.read() == LAYERS[0]


def spoilt(name: str) -> Files:
    """An archive with one thing wrong."""
    files = docker_archive(LAYERS, "app") if name.startswith("docker") else oci_layout(LAYERS, "app")
    manifest_digest = json.loads(files.content.get("index.json", b'{"manifests": [{"digest": ""}]}'))["manifests"][0]["digest"]
    manifest = f"blobs/sha256/{manifest_digest[7:]}"
    config = next(key for key, value in files.content.items() if b"diff_ids" in value)
    listed = json.loads(files.content.get("manifest.json", b"[{}]"))
    match name:
        case "no manifest" | "docker no manifest":
            files.content = {"readme.txt": b"hello"}
        case "no image":
            files.content["index.json"] = b'{"manifests": []}'
        case "blob missing":
            del files.content[manifest]
        case "config damaged" | "docker config damaged":
            files.content[config] += b" "
        case "not json":
            files.content["index.json"] = b"\xff{"
        case "no digest":
            files.content["index.json"] = json.dumps({"manifests": [{"digest": "../../../etc/passwd"}]}).encode()
        case "docker layer missing":
            listed[0]["Layers"].pop()
            files.content["manifest.json"] = json.dumps(listed).encode()
        case "docker bad name":
            listed[0]["RepoTags"] = ["../../etc:x"]
            files.content["manifest.json"] = json.dumps(listed).encode()
        case "docker bad signal":
            files = docker_archive(LAYERS, "app", StopSignal="SIGNOTHING")
        case "docker no image":
            files.content[listed[0]["Config"]] = b"{}"
            listed[0]["Config"] = "x.json"
            files.content.update({"x.json": b'{"os": ""}', "manifest.json": json.dumps(listed).encode()})
    return files


@pytest.mark.parametrize(("name", "message"), [
    ("no manifest", "neither index.json with oci-layout"), ("no image", "there is no image in it"), ("blob missing", "is missing from the"),
    ("config damaged", "is damaged: its digest is sha256:"), ("docker config damaged", "is damaged: its digest is sha256:"),
    ("not json", "a document that cannot be read"), ("no digest", "'../../../etc/passwd' is no sha256 digest"),
    ("docker layer missing", "its manifest has 1 layers, its configuration 2"), ("docker bad name", "invalid reference format"),
    ("docker bad signal", "its stop signal 'SIGNOTHING' does not exist"), ("docker no image", "its configuration names no layers"),
])
def test_what_is_wrong_is_said(name: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(spoilt(name), tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello, world" * 1000, b"PK\x03\x04" + b"\0" * 600])
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)

    with pytest.raises(ImageArchiveError, match=r"no tar archive|no image"), open_archive(path, tmp_path) as archive:
        find_images(archive, None, "")


def test_a_directory_is_not_left(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "top").mkdir()

    for name in ("../secret", "/etc/passwd", "a/../../secret"):
        with pytest.raises(ImageArchiveError, match="leads out of the directory"):
            DirectoryArchive(tmp_path / "top").open(name)


@pytest.mark.parametrize("cut", [5, 20, 100])
def test_truncated_gzip_is_noticed(cut: int) -> None:
    import gzip

    packed = gzip.compress(bytes(range(256)) * 400)

    assert b"".join(decompressed(iter([packed, b"\0" * 512, packed]))) == bytes(range(256)) * 800       # members one after the other
    with pytest.raises(ImageArchiveError, match="truncated gzip"):
        list(decompressed(io.BytesIO(packed[:-cut])))
    with pytest.raises(ImageArchiveError, match="broken gzip"):
        list(decompressed(iter([packed + b"garbage"])))


def test_unknown_compression_is_named() -> None:
    with pytest.raises(ImageArchiveError, match="bzip2 or xz; gzip and zstd are understood"):
        list(decompressed(iter([b"BZh91AY"])))


def test_zstd_without_the_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(ImageArchiveError, match="apt-get install zstd"):
        list(decompressed(iter([b"\x28\xb5\x2f\xfd and more"])))
