"""Image names, and what built-in images are made from."""

from __future__ import annotations

import pytest

from node_agent.runtime.builtin_layers import addon_module
from node_agent.runtime.references import InvalidImageNameError, parse_reference
from node_agent.runtime.sandbox import netns_name


@pytest.mark.parametrize(("text", "canonical"), [
    ("busybox", "docker.io/library/busybox:latest"), ("busybox:1.36", "docker.io/library/busybox:1.36"),
    ("docker.io/library/busybox", "docker.io/library/busybox:latest"), ("kubonsai/coredns", "docker.io/kubonsai/coredns:latest"),
    ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"), ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
    ("a@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64), ("index.docker.io/a", "docker.io/library/a:latest"),
    ("a:1@sha256:" + "0" * 64, "docker.io/library/a:1@sha256:" + "0" * 64), ("localhost/a", "localhost/a:latest"),
    ("Registry/a", "Registry/a:latest"), ("host:5000/a:b", "host:5000/a:b"), ("[::1]:5000/a", "[::1]:5000/a:latest"),
])
def test_references_are_read_as_docker_reads_them(text: str, canonical: str) -> None:
    assert str(parse_reference(text)) == canonical


@pytest.mark.parametrize(("text", "why"), [
    *((text, "invalid reference format") for text in ("", "a b", "a:", ":tag", "a//b", "-a", "a@sha256:0", "a/b@c")),
    ("Busybox", "invalid reference format: repository name (library/Busybox) must be lowercase"),
    ("team/App:1", "invalid reference format: repository name (team/App) must be lowercase"),
    ("0" * 64, f"invalid repository name ({'0' * 64}), cannot specify 64-byte hexadecimal strings"),
    ("r.test/" + "a" * 256, "repository name must not be more than 255 characters"),
    ("a@md5:" + "0" * 32, "unsupported digest algorithm"), ("a@sha256:" + "0" * 63, "invalid checksum digest length"),
    ("a@sha256:" + "A" * 64, "invalid checksum digest format"),
])
def test_what_is_no_reference(text: str, why: str) -> None:
    with pytest.raises(InvalidImageNameError) as caught:
        parse_reference(text)
    assert str(caught.value) == f'couldn\'t parse image name "{text}": {why}'


def test_addons_are_those_of_the_project() -> None:
    assert addon_module("coredns") == "addons.coredns.app"
    assert addon_module("nothing-such") is None
    assert addon_module("../x") is None


def test_namespace_names_are_readable_and_short_enough() -> None:
    assert netns_name("c-", "default", "web-0", "0a1b2c3d-4e5f-0000") == "c-default-web-0-0a1b2c3d"
    assert len(netns_name("", "n" * 63, "p" * 253, "0a1b2c3d-4e5f-0000")) < 255
