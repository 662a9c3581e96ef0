"""Which addons a cluster gets, and how one asks for more."""

from __future__ import annotations

import pytest

from kube.process.config import ConfigError
from launcher.cluster.provider import UpOptions
from launcher.cluster.readiness import addon_manifests
from launcher.cluster.settings import ClusterSettings
from launcher.compose.provider import ComposeCluster


def names(*optional: str) -> set[str]:
    return {f"{obj['kind']}/{obj['metadata']['name']}" for obj in addon_manifests("10.96.0.10", optional)}


def test_an_ordinary_cluster_has_dns_and_nothing_that_costs() -> None:
    assert "Deployment/coredns" in names()
    assert not {name for name in names() if "metrics" in name}


def test_metrics_server_comes_when_asked_for() -> None:
    assert names("metrics-server") - names() >= {"Deployment/metrics-server", "APIService/v1beta1.metrics.k8s.io"}


def test_an_unknown_addon_is_told() -> None:
    with pytest.raises(ConfigError, match="addons: 'grafana' is not known; there are: metrics-server"):
        ClusterSettings(addons=("grafana",))


def test_with_compose_kubectl_applies_it() -> None:
    with pytest.raises(ConfigError, match="kubectl apply -f addons/metrics_server/manifests/"):
        ComposeCluster("kubonsai").check_options(UpOptions(addons=("metrics-server",)))
