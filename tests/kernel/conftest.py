from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.kernel_services import Stage, set_stage
from tests.support.runtime_node import RuntimeNode, runtime_node


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_stage(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store of images, for built-in ones: made once."""
    store = tmp_path_factory.mktemp("images")
    yield store
    shutil.rmtree(store, ignore_errors=True)        # Python's has 100 MB


@pytest.fixture
async def node(tmp_path: Path, images: Path) -> AsyncIterator[RuntimeNode]:
    """The runtime of a node of its own."""
    async with runtime_node(tmp_path, images) as opened:
        yield opened
