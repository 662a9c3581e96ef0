"""Files of images and parts of volumes, with links laid in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node_agent.runtime.model import Security
from node_agent.runtime.safe_paths import open_parts, read_in_root
from node_agent.runtime.spec import resolve_user


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("the host's")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "real").write_text("the image's")
    return root


@pytest.mark.parametrize("target", ["/real", "../real", "../../../../real", "/./etc/../real", "hop", "/etc/hop"])
def test_links_stay_in_the_root(root: Path, target: str) -> None:
    (root / "etc/hop").symlink_to("/real")
    (root / "etc/passwd").symlink_to(target)

    assert read_in_root(root, "etc/passwd") == "the image's"


@pytest.mark.parametrize("target", ["/secret", "../../secret", "/proc/self/root/etc/hostname", "passwd"])
def test_nothing_outside_is_reached(root: Path, target: str) -> None:
    (root / "etc/passwd").symlink_to(target)

    with pytest.raises(OSError, match=r"No such file|Too many levels"):
        read_in_root(root, "etc/passwd")


def test_a_linked_directory_stays_in_the_root(root: Path) -> None:
    (root / "etc").rmdir()
    (root / "etc").symlink_to("/")

    assert read_in_root(root, "etc/real") == "the image's"


def test_what_would_never_end_is_not_read(root: Path) -> None:
    os.mkfifo(root / "etc/passwd")

    assert resolve_user(Security(), "7", root)[:3] == (7, 0, "/")


def test_users_come_from_the_image(root: Path) -> None:
    (root / "etc/passwd").write_text("app:x:12:34::/home/app:/bin/sh\n")

    assert resolve_user(Security(), "app", root)[:3] == (12, 34, "/home/app")


def test_no_descriptor_is_left(root: Path) -> None:
    (root / "etc/passwd").symlink_to("passwd")
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(20):
        with pytest.raises(OSError, match="Too many levels"):
            read_in_root(root, "etc/passwd")
        os.close(open_parts(str(root), ["etc"]))

    assert len(os.listdir("/proc/self/fd")) <= before


def test_parts_are_no_links(root: Path) -> None:
    (root / "link").symlink_to("etc")

    for parts in (["link"], ["link", "x"], ["etc", "missing"]):
        with pytest.raises(OSError, match=r"No such file|Too many levels"):
            os.close(open_parts(str(root), parts))


def test_missing_parts_are_made_with_the_mode_of_the_volume(root: Path) -> None:
    os.close(open_parts(str(root), ["a", "b"], make_mode=0o777))

    assert (root / "a/b").stat().st_mode & 0o777 == 0o777
