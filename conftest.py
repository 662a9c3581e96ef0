"""Marks tests by their folder, so that no test can forget it, and keeps those of one Docker engine on one worker.

Tests marked `modern_kubectl` are about flags, commands or wordings that kubectl 1.31 has: they are skipped where it is older (Debian 12
has 1.20).
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path

import pytest

MODERN_KUBECTL = 31      # the minor version

pytest_plugins = ["launcher.testing.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kubonsai")
    group.addoption(
        "--compose", action="store_true",
        help="run tests/compose with a Docker engine of their own (root; docker.io, docker-compose, debootstrap), "
        "or with the one that is there: KUBONSAI_TEST_ENGINE=existing",
    )
    group.addoption("--fresh", action="store_true", help="with --compose: make the base image anew")


@pytest.hookimpl(tryfirst=True)      # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent / "tests"
    for item in items:
        tier = item.path.relative_to(tests).parts[0] if tests in item.path.parents else ""
        if tier == "kernel":
            item.add_marker(pytest.mark.kernel)
        elif tier in ("cluster", "clients"):
            item.add_marker(pytest.mark.cluster)
        elif tier == "compose":
            item.add_marker(pytest.mark.compose)
            item.add_marker(pytest.mark.xdist_group("compose"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("modern_kubectl") and kubectl_minor() < MODERN_KUBECTL:
        pytest.skip(f"kubectl is 1.{kubectl_minor()}, and this needs 1.{MODERN_KUBECTL}")


@functools.cache
def kubectl_minor() -> int:
    version = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, check=True).stdout
    return int(re.sub(r"\D.*", "", json.loads(version)["clientVersion"]["minor"]))
