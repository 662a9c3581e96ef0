"""Configuration of kube-apiserver."""

from __future__ import annotations

import ipaddress
from typing import Final

from control_plane.apiserver.admission.catalog import switched
from control_plane.apiserver.identity_config import IdentityConfig
from kube.process.config import ConfigError, TlsFiles

KUBERNETES_VERSION: Final = "v1.37.0"


class ApiserverConfig(IdentityConfig, frozen=True, kw_only=True):
    """Defaults are kube-apiserver's where it has the setting."""

    name: str                                     # identity of this apiserver, no other's: e.g. its host name
    advertise_address: str                        # where the other nodes reach it; an endpoint of Service default/kubernetes
    etcd_tls: TlsFiles
    serving_tls: TlsFiles                         # ca_file: the CA of client certificates
    kubelet_client_tls: TlsFiles                  # who we are towards the nodes' NodeService
    service_account_signing_key_file: str
    service_account_key_files: tuple[str, ...]    # public (or private) keys that tokens are verified with
    secure_port: int = 6443
    grpc_port: int = 6444
    listen_fds: tuple[int, ...] = ()              # listening sockets inherited from the launcher; HTTPS is served on them too
    etcd_endpoints: tuple[str, ...] = ("127.0.0.1:2379",)
    service_cluster_ip_range: str = "10.96.0.0/12"
    service_node_port_range: tuple[int, int] = (30000, 32767)
    front_proxy: TlsFiles | None = None
    enable_admission_plugins: tuple[str, ...] = ()      # names as in --enable-admission-plugins: beside those on by default
    disable_admission_plugins: tuple[str, ...] = ()
    admission_control_config_file: str = ""       # AdmissionConfiguration of apiserver.config.k8s.io/v1
    default_not_ready_toleration_seconds: int = 300
    default_unreachable_toleration_seconds: int = 300
    encryption_provider_config: str = ""          # EncryptionConfiguration of apiserver.config.k8s.io/v1
    encryption_provider_config_automatic_reload: bool = False      # read again when the file changes
    event_ttl_s: float = 3600.0
    watch_cache_events: int = 10_000              # recent events kept per resource, to resume watches from
    min_request_timeout_s: float = 1800.0         # a watch without timeoutSeconds lives between this and twice as long
    bookmark_interval_s: float = 60.0
    max_requests_inflight: int = 400              # --max-requests-inflight
    max_mutating_requests_inflight: int = 200
    node_service_port: int = 10251                # the kubelet's NodeService (gRPC)

    def __post_init__(self) -> None:
        self.check_identity()
        if self.enable_admission_plugins or self.disable_admission_plugins:
            switched(self.enable_admission_plugins, self.disable_admission_plugins)
        try:
            ipaddress.ip_network(self.service_cluster_ip_range)
        except ValueError as error:
            raise ConfigError(f"service_cluster_ip_range: {error}") from error
        low, high = self.service_node_port_range
        if not 1 <= low <= high <= 65535:
            raise ConfigError(f"service_node_port_range: must be within 1-65535, lower end first, got {low}-{high}")
