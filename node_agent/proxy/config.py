"""kube-proxy's configuration."""

from __future__ import annotations

from kube.process.config import ApiserverAccess, Config


class ProxyConfig(Config, frozen=True, kw_only=True):
    apiserver: ApiserverAccess
    node_name: str
    node_ip: str                           # where node ports answer
    cluster_cidr: str                      # all nodes' Pods: 10.244.0.0/16
    service_cidr: str                      # 10.96.0.0/12
    metrics_address: str = "127.0.0.1"     # upstream's --metrics-bind-address
    metrics_port: int = 10249
    health_port: int = 10256
    check_period_s: float = 30.0           # how often it looks whether the table is still there
