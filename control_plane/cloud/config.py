"""Configuration of the cloud-controller-manager."""

from __future__ import annotations

from kube.process.config import ApiserverAccess, Config, TlsFiles


class CloudConfig(Config, frozen=True, kw_only=True):
    apiserver: ApiserverAccess
    supervisor_socket: str                       # path of the unix socket that serves kube.rpc.v1.MachineService
    serving_tls: TlsFiles | None = None
    health_port: int = 10258
    leader_elect: bool = True
    identity: str = ""                           # default: hostname and a random part
    node_monitor_period_s: float = 5             # how often the supervisor is asked which machines there are
