"""One Docker engine for all tests here: our own with --compose, else the one that is there, else none and the tests are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.engine import ROOT, AnyEngine, Engine, EngineError, ExistingEngine

IMAGE = "kubonsai:latest"
HERE = Path(__file__).parent
NO_ENGINE = "no Docker engine answers; --compose installs and starts one for the tests (root, Debian)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    if ours and not config.getoption("--compose") and not ExistingEngine.answers():
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=NO_ENGINE))


def wants_own(config: pytest.Config) -> bool:
    return bool(config.getoption("--compose")) and os.environ.get("KUBONSAI_TEST_ENGINE") != "existing"


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[AnyEngine]:
    """Shared by a whole run: each test brings a project of its own, and takes it down."""
    if wants_own(request.config):
        with Engine(fresh=bool(request.config.getoption("--fresh"))) as own:
            yield own
    else:
        if not ExistingEngine.answers():
            raise EngineError("KUBONSAI_TEST_ENGINE=existing, and none answers `docker version`")
        yield ExistingEngine()


@pytest.fixture(scope="session")
def image(engine: AnyEngine) -> str:
    """The image of this tree in our own engine; in somebody's the one that is there, if there is one."""
    if engine.own or not engine.docker("images", "--quiet", IMAGE).strip():
        engine.build(ROOT, IMAGE)
    return IMAGE


@pytest.fixture
def engine_may_restart(engine: AnyEngine) -> None:
    """For tests that restart the engine: somebody's is left alone."""
    if not engine.own:
        pytest.skip("restarts the engine, and this one is somebody's; --compose makes one")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows the end of the engine's log."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's Result
    used = getattr(item, "funcargs", {}).get("engine")
    if report.failed and isinstance(used, Engine):
        report.sections.append(("log of the engine", used.log_tail()))
