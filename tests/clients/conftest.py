from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.testing.cluster import Cluster, eventually
from tests.support.space import Space

# The libraries' own: kr8s warns of versions of Kubernetes newer than itself, and some leave their sockets to the garbage collector.
FOREIGN = ("ignore:Kubernetes version:UserWarning", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for warning in FOREIGN:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a library has left lying about is found here, where its warnings are known, and not in another test."""
    yield
    gc.collect()


@pytest.fixture
def space(kubonsai_cluster: Cluster, namespace: str) -> Space:
    """A namespace of the test's own in the shared cluster, ready for Pods."""
    made = Space(kubonsai_cluster, namespace)
    eventually(lambda: made.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt"))
    return made


@pytest.fixture
def kubeconfig(kubonsai_cluster: Cluster) -> str:
    return kubonsai_cluster.environment["KUBECONFIG"]
