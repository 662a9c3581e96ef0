from __future__ import annotations

import pytest

from launcher.testing.cluster import Cluster, eventually
from tests.support.kubectls import Kubectl, oldest_and_newest
from tests.support.session import Session
from tests.support.space import Space


@pytest.fixture
def space(kubonsai_cluster: Cluster, namespace: str) -> Space:
    """A namespace of the test's own in the shared cluster, with what the controllers put into every namespace."""
    made = Space(kubonsai_cluster, namespace)
    eventually(lambda: made.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt"))
    return made


@pytest.fixture(params=oldest_and_newest(), ids=str)
def session(space: Space, request: pytest.FixtureRequest) -> Session:
    """The same as the oldest and as the newest kubectl of the machine sees it."""
    kubectl: Kubectl = request.param
    return Session(space.cluster, space.namespace, kubectl.path, kubectl.minor)
