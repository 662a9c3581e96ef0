"""Marks tests by their folder, so that no test can forget it, and keeps those that share a cluster on one worker."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["launcher.testing.plugin"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent / "tests"
    for item in items:
        tier = item.path.relative_to(tests).parts[0] if tests in item.path.parents else ""
        if tier == "kernel":
            item.add_marker(pytest.mark.kernel)
        elif tier == "cluster":
            item.add_marker(pytest.mark.cluster)
            shared = "kubonsai_cluster" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("shared cluster" if shared else "own clusters"))
