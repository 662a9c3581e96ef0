"""One machine for all tests here, only with --machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.room import Room, sweep
from tests.machine.emulator import Machine

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--machine"):
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="takes a quarter of an hour; --machine runs it (root, Debian)"))


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    sweep()
    room = Room()
    try:
        yield Machine(room.open()).build()
    finally:
        room.close()
