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
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

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
    group.addoption(
        "--machine", action="store_true",
        help="run tests/machine: Debian in an emulator, with control groups of version 2 (root; qemu-system-x86, debootstrap)",
    )


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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """What `--dist loadgroup` means here; the groups of xdist 3.8 do not hold with pytest 9 (a node's id cannot be changed any more)."""
    return OneEngine(config, log) if config.getvalue("dist") == "loadgroup" else None


class OneEngine(LoadScopeScheduling):  # type: ignore[misc]  # has no types for mypy
    """Tests with a Docker engine stay together: each worker would make an engine and an image of its own. So do those of a machine."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in ("tests/compose/", "tests/machine/") if nodeid.startswith(folder)), nodeid)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("modern_kubectl") and kubectl_minor() < MODERN_KUBECTL:
        pytest.skip(f"kubectl is 1.{kubectl_minor()}, and this needs 1.{MODERN_KUBECTL}")


@functools.cache
def kubectl_minor() -> int:
    version = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, check=True).stdout
    return int(re.sub(r"\D.*", "", json.loads(version)["clientVersion"]["minor"]))
