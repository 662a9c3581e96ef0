"""`kubonsai load` and `kubonsai images`: what is printed, and with which exit code."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher.cli import images as cli
from launcher.cli.main import main
from node_agent.runtime.images import ImageStore
from node_agent.runtime.platforms import Platform
from tests.support.image_archives import (
    CONTAINERD_NAME,
    REF_NAME,
    Files,
    add_manifest,
    docker_archive,
    entry,
    finish_layout,
    layer,
    oci_layout,
)

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).resolve().parents[2]
LAYER = layer(entry("file", bytes(2_000_000)))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cli, "IMAGES", tmp_path / "images")
    return tmp_path / "images"


def test_load_says_what_it_loaded_and_images_lists_it(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = docker_archive([LAYER], "app:1", "quay.io/team/app:one").tar(tmp_path / "docker.tar")
    second = oci_layout([LAYER], "app:2", Cmd=["x"]).directory(tmp_path / "layout")

    assert main(["load", str(first), str(second)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("loaded docker.io/library/app:1, quay.io/team/app:one  sha256:")
    assert lines[1].startswith("loaded docker.io/library/app:2  sha256:") and lines[1].endswith("  2 MB")

    assert main(["images"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["IMAGE", "docker.io/library/app:1", "docker.io/library/app:2", "quay.io/team/app:one"]
    assert rows[2][1:] == [lines[1].split()[2], "2", "MB", "loaded"]


async def test_built_in_images_are_listed_once_they_are_made(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["images"]) == 0
    assert capsys.readouterr().out.split() == ["IMAGE", "DIGEST", "SIZE", "FROM"]
    await ImageStore(store).find("busybox")

    assert main(["images"]) == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert (row[0], row[-2:]) == ("docker.io/library/busybox:latest", ["built", "in"])


def test_a_name_can_be_given(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files()
    nameless = finish_layout(files, (add_manifest(files, [LAYER]), {})).tar(tmp_path / "x.tar")
    tagged = finish_layout(files, (add_manifest(files, [LAYER]), {REF_NAME: "3"})).directory(tmp_path / "My-App.oci")

    for arguments in ([str(nameless)], [str(nameless), "--as", "team/app"], [str(tagged)]):
        assert main(["load", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("loaded an image without a name  sha256:")
    assert [line.split()[1] for line in lines[1:]] == ["docker.io/team/app:latest", "docker.io/library/my-app:3"]
    assert main(["images"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3           # one image, two names


def test_standard_input(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    archive = docker_archive([LAYER], "app:1").tar(tmp_path / "a.tar")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(archive.read_bytes())))

    assert main(["load", "-"]) == 0
    assert capsys.readouterr().out.startswith("loaded docker.io/library/app:1  sha256:")


def test_platforms_of_a_layout(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files()
    other = "linux/s390x"
    own = {**add_manifest(files, [LAYER]), "platform": {"os": "linux", "architecture": Platform.own().architecture}}
    foreign = {**add_manifest(files, [], platform=other), "platform": {"os": "linux", "architecture": "s390x"}}
    path = finish_layout(files, (own, {CONTAINERD_NAME: "app"}), (foreign, {CONTAINERD_NAME: "app"})).directory(tmp_path / "layout")

    assert main(["load", str(path)]) == main(["load", str(path), "--platform", other]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == [own["digest"], foreign["digest"]]
    assert main(["load", str(path), "--platform", "linux/riscv64"]) == 1
    assert "it has nothing for linux/riscv64; it has linux/" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["/no/such.tar"], 2, "there is no file or directory /no/such.tar"), (["{text}"], 1, "could not load {text}: it is no tar archive"),
    (["{empty}"], 1, "could not load {empty}: it is no image: neither index.json"), (["-", "--platform", "a/b/c/d"], 2, "is no platform"),
    (["-", "--as", "No Name"], 2, "invalid reference format"), (["-", "-", "--as", "x"], 2, "give one PATH"),
    (["-", "--name", "no-such"], 2, "no cluster named 'no-such'"), (["{two}", "--as", "x"], 1, "it holds 2 images"),
])
def test_refusals(
    arguments: list[str], code: int, message: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "text").write_text("hello\n" * 200)
    (tmp_path / "empty").mkdir()
    files = Files()
    finish_layout(files, (add_manifest(files, [LAYER]), {CONTAINERD_NAME: "a"}), (add_manifest(files, []), {CONTAINERD_NAME: "b"}))
    files.directory(tmp_path / "two")
    places = {name: str(tmp_path / name) for name in ("text", "empty", "two")}

    assert main(["load", *(argument.format(**places) for argument in arguments)]) == code
    output = capsys.readouterr()
    assert message.format(**places) in output.err and output.err.count("\n") == 1
    assert output.out == ""
    assert not (store / "catalog.json").exists()


def test_an_interrupted_load_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from launcher.cli import images, main; "
        "images.IMAGES = Path(sys.argv.pop(1)); main.main()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "images"), "load", "-"]
    content = docker_archive([LAYER], "app").tar(tmp_path / "a.tar").read_bytes()
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(content[:1_500_000])
        process.stdin.flush()
        deadline = time.monotonic() + 120
        while not (list((tmp_path / "images").glob("loading/*/archive.tar")) and waits_for_a_pipe(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().decode()
        process.stdin.close()

    assert "interrupted; nothing of the last archive is in the store" in said
    assert list((tmp_path / "images/loading").iterdir()) == list((tmp_path / "images/layers").iterdir()) == []


def waits_for_a_pipe(pid: int) -> bool:
    return "pipe_read" in Path(f"/proc/{pid}/wchan").read_text()
