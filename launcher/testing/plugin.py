"""The pytest fixtures. `kubonsai_cluster` is shared by a whole run (each test brings its own namespace: `namespace`)."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from launcher.testing.cluster import Cluster


def pytest_configure(config: pytest.Config) -> None:
    """A run that is told to end (by a CI's time limit) ends as one by Ctrl-C does: fixtures take their clusters down."""
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def kubonsai_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A three-node cluster with a name of its own."""
    cluster = Cluster(tmp_path_factory.mktemp("kubonsai"))
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def namespace(kubonsai_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, deleted afterwards."""
    name = f"test-{secrets.token_hex(4)}"
    kubonsai_cluster.kubectl("create", "namespace", name)
    yield name
    kubonsai_cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed cluster test shows the end of every process's log."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's Result
    cluster = getattr(item, "funcargs", {}).get("kubonsai_cluster")
    if report.failed and isinstance(cluster, Cluster):
        report.sections.append(("logs of the cluster", cluster.log_tails()))
