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
    ("a@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64),
])
def test_references_are_read_as_docker_reads_them(text: str, canonical: str) -> None:
    assert str(parse_reference(text)) == canonical


@pytest.mark.parametrize("text", ["", "Busybox", "a b", "a:", ":tag", "a//b", "-a"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(InvalidImageNameError, match="invalid reference format"):
        parse_reference(text)


def test_addons_are_those_of_the_project() -> None:
    assert addon_module("coredns") == "addons.coredns.app"
    assert addon_module("nothing-such") is None
    assert addon_module("../x") is None


def test_namespace_names_are_readable_and_short_enough() -> None:
    assert netns_name("c-", "default", "web-0", "0a1b2c3d-4e5f-0000") == "c-default-web-0-0a1b2c3d"
    assert len(netns_name("", "n" * 63, "p" * 253, "0a1b2c3d-4e5f-0000")) < 255
