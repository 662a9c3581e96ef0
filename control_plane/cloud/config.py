"""Configuration of the cloud-controller-manager."""

from __future__ import annotations

from kube.process.config import ApiserverAccess, Config, ConfigError, TlsFiles


class CloudConfig(Config, frozen=True, kw_only=True):
    apiserver: ApiserverAccess
    supervisor_socket: str = ""                  # path of the unix socket that serves kube.rpc.v1.MachineService; or:
    machines_folder: str = ""                    # path of the folder with a record of each machine
    serving_tls: TlsFiles | None = None
    health_port: int = 10258
    leader_elect: bool = True
    identity: str = ""                           # default: hostname and a random part
    node_monitor_period_s: float = 5             # how often the cloud is asked which machines there are, and where

    def __post_init__(self) -> None:
        if bool(self.supervisor_socket) == bool(self.machines_folder):
            raise ConfigError("exactly one of supervisor_socket and machines_folder must be set: it is the cloud")
