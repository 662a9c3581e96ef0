from __future__ import annotations

import pytest

from launcher.testing.cluster import Cluster, eventually
from tests.support.space import Space


@pytest.fixture
def space(kubonsai_cluster: Cluster, namespace: str) -> Space:
    """A namespace of the test's own in the shared cluster, with what the controllers put into every namespace."""
    made = Space(kubonsai_cluster, namespace)
    eventually(lambda: made.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt"))
    return made
