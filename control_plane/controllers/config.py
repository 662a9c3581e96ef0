"""Configuration of the kube-controller-manager. Defaults are upstream's unless a comment says otherwise."""

from __future__ import annotations

from kube.process.config import ApiserverAccess, Config, ConfigError, TlsFiles


class ControllerManagerConfig(Config, frozen=True, kw_only=True):
    apiserver: ApiserverAccess
    root_ca_file: str                            # published to every namespace as kube-root-ca.crt
    serving_tls: TlsFiles | None = None          # without it health and metrics are served over plain HTTP
    cluster_signing_cert_file: str = ""          # the CA that signs approved certificate requests; without it nobody does
    cluster_signing_key_file: str = ""
    cluster_signing_duration_s: float = 365 * 24 * 3600.0
    service_account_private_key_file: str = ""   # --service-account-private-key-file: signs tokens in Secrets; without it nobody does
    legacy_service_account_token_clean_up_period_s: float = 365 * 24 * 3600.0    # unused so long: marked; marked so long: deleted
    cluster_cidr: str = "10.244.0.0/16"
    node_cidr_mask_size: int = 24
    block_volumes_dir: str = ""                  # volumes of block.csi.kubonsai.io; "": this cluster does not have that driver
    csi_socket: str = ""                         # where that driver's controller service listens, once it is needed
    health_port: int = 10257
    leader_elect: bool = True
    identity: str = ""                           # default: hostname and a random part
    node_monitor_period_s: float = 5
    node_monitor_grace_period_s: float = 50
    node_startup_grace_period_s: float = 60
    terminated_pod_gc_threshold: int = 12500
    resource_quota_sync_period_s: float = 300    # --resource-quota-sync-period; 0: never
    concurrent_syncs: int = 5                    # workers per controller

    def __post_init__(self) -> None:
        if bool(self.block_volumes_dir) != bool(self.csi_socket):
            raise ConfigError("block_volumes_dir and csi_socket go together: set both or none")
        if bool(self.cluster_signing_cert_file) != bool(self.cluster_signing_key_file):
            raise ConfigError("cluster_signing_cert_file and cluster_signing_key_file go together: set both or none")
