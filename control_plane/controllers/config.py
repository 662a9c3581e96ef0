"""Configuration of the kube-controller-manager. Defaults are upstream's unless a comment says otherwise."""

from __future__ import annotations

from kube.process.config import ApiserverAccess, Config, TlsFiles


class ControllerManagerConfig(Config, frozen=True, kw_only=True):
    apiserver: ApiserverAccess
    root_ca_file: str                            # published to every namespace as kube-root-ca.crt
    serving_tls: TlsFiles | None = None          # without it health and metrics are served over plain HTTP
    cluster_cidr: str = "10.244.0.0/16"
    node_cidr_mask_size: int = 24
    health_port: int = 10257
    leader_elect: bool = True
    identity: str = ""                           # default: hostname and a random part
    node_monitor_period_s: float = 5
    node_monitor_grace_period_s: float = 50
    node_startup_grace_period_s: float = 60
    terminated_pod_gc_threshold: int = 12500
    concurrent_syncs: int = 5                    # workers per controller
