"""Configuration of a kubelet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kube.process.config import ApiserverAccess, Config, ConfigError, TlsFiles
from node_agent.runtime.model import ImagePolicy
from node_agent.runtime.registry.access import RegistryAccess, RegistrySettings

INTERVALS = (       # a loop without a pause helps nobody
    "node_status_update_s", "node_status_report_s", "lease_renew_s", "sync_period_s", "container_log_monitor_s",
    "runtime_request_timeout_s", "image_gc_period_s", "eviction_monitoring_period_s",
)

if TYPE_CHECKING:
    from node_agent.kubelet.eviction.thresholds import Threshold


class KubeletBootstrap(Config, frozen=True, kw_only=True):
    """How a machine without certificates gets its own: by a bootstrap token, as with `kubeadm join`."""

    server: str        # "https://control-plane:6443"
    token_file: str    # ID.SECRET
    ca_file: str       # whom to trust; nobody is trusted on first sight
    cert_dir: str      # where the kubelet keeps them, each with its key; survives the process

    @property
    def client_tls(self) -> TlsFiles:
        """For `apiserver.tls`. The files come into being when the kubelet starts."""
        return self._files("kubelet-client.pem")

    @property
    def serving_tls(self) -> TlsFiles:
        return self._files("kubelet-serving.pem")

    def _files(self, name: str) -> TlsFiles:
        file = str(Path(self.cert_dir) / name)
        return TlsFiles(cert_file=file, key_file=file, ca_file=self.ca_file)


class KubeletConfig(Config, frozen=True, kw_only=True):
    apiserver: ApiserverAccess
    node_name: str
    node_ip: str
    root_dir: str                              # pods, containers, logs of this node; survives the process
    run_dir: str                               # sockets and bundles; short, for a socket's path has 108 bytes
    images_dir: str                            # shared by all nodes of the machine
    block_volumes_dir: str = ""                # volumes of block.csi.kubonsai.io; "": this node does not have that driver
    cgroup_parent: str                         # "/kubonsai/NAME/node1"
    node_cgroup: str = ""                      # where all of the node is, its agents too; "": cgroup_parent, and agents below it
    cluster_dns: tuple[str, ...]
    cluster_domain: str = "cluster.local"
    resolv_conf: str = "/etc/resolv.conf"      # kubelet's resolvConf: what Pods with dnsPolicy Default get
    serving_tls: TlsFiles
    bootstrap: KubeletBootstrap | None = None  # set: apiserver.tls and serving_tls are its client_tls and serving_tls
    static_pod_path: str = ""                  # kubelet's staticPodPath: a folder of manifests that run without the API; "": none
    port: int = 10250
    grpc_port: int = 10251
    healthz_port: int = 10248                  # kubelet's healthzPort: /healthz for everybody, on the loopback alone
    pod_network: ApiserverAccess | None = None # who reads all Nodes for the routes to their Pods; a kubelet may read only its own
    register_taints: tuple[str, ...] = ()      # "key=value:Effect"
    node_labels: dict[str, str] = {}
    capacity_cpu: str = ""                     # "": what the machine has
    capacity_memory: str = ""
    capacity_disk: str = ""                    # "": what the filesystem of root_dir has
    max_pods: int = 110                        # kubelet's maxPods
    external_cloud: bool = True                # register with the taint that the cloud-controller-manager takes away
    netns_prefix: str = ""                     # of names in /run/netns; unique per cluster
    node_status_update_s: float = 10.0         # kubelet's nodeStatusUpdateFrequency
    node_status_report_s: float = 300.0        # nodeStatusReportFrequency: without change, so often all the same
    lease_renew_s: float = 10.0                # a quarter of nodeLeaseDurationSeconds
    lease_duration_s: int = 40
    sync_period_s: float = 60.0                # syncFrequency: volumes from ConfigMaps and Secrets are refreshed
    container_log_max_bytes: int = 10 << 20    # containerLogMaxSize
    container_log_max_files: int = 5           # containerLogMaxFiles, with the one being written
    container_log_monitor_s: float = 10.0      # containerLogMonitorInterval
    pod_pids_limit: int = -1                   # podPidsLimit; -1: none
    seccomp_default: bool = False              # kubelet's seccompDefault: RuntimeDefault for whoever asks for no profile
    allowed_unsafe_sysctls: tuple[str, ...] = ()   # kubelet's allowedUnsafeSysctls: "kernel.msg*", "net.core.somaxconn"
    runtime_programs_path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"     # where conmon and runc are looked for
    runtime_request_timeout_s: float = 120.0   # kubelet's runtimeRequestTimeout: runc has so long to make a container
    registries: tuple[RegistryAccess, ...] = ()    # that may be asked for images beside those in local_networks; docs/images.md
    registry_config_dir: str = ""              # hosts.toml by registry, as containerd's config_path
    local_networks: tuple[str, ...] = ()       # of the cluster: registries there may be asked
    max_parallel_image_pulls: int = 0          # kubelet's maxParallelImagePulls; 0: no limit, 1: serializeImagePulls
    image_gc_high_threshold_percent: int = 85  # imageGCHighThresholdPercent; 100: images are not collected
    image_gc_low_threshold_percent: int = 80   # imageGCLowThresholdPercent
    image_minimum_gc_age_s: float = 120.0      # imageMinimumGCAge
    image_maximum_gc_age_s: float = 0.0        # imageMaximumGCAge; 0: no image is too old
    image_gc_period_s: float = 300.0           # upstream's ImageGCPeriod
    node_status_max_images: int = 50           # nodeStatusMaxImages; -1: all
    eviction_hard: dict[str, str] | None = None            # evictionHard, as signal: "100Mi" or "10%"; docs/eviction.md
    eviction_soft: dict[str, str] = {}                     # evictionSoft
    eviction_soft_grace_period_s: dict[str, float] = {}    # evictionSoftGracePeriod, for each of them
    eviction_minimum_reclaim: dict[str, str] = {}          # evictionMinimumReclaim
    eviction_max_pod_grace_period_s: float = 0.0           # evictionMaxPodGracePeriod
    eviction_pressure_transition_period_s: float = 300.0   # evictionPressureTransitionPeriod
    eviction_monitoring_period_s: float = 10.0             # upstream's evictionMonitoringPeriod
    kubernetes_version: str = "v1.37.0"

    def __post_init__(self) -> None:
        for key in self.__struct_fields__:
            value, least = getattr(self, key), -1 if key in ("pod_pids_limit", "node_status_max_images") else 0
            if isinstance(value, int | float) and (value < least or (key in INTERVALS and value == 0)):
                raise ConfigError(f"{key}: must be {'above 0' if key in INTERVALS else f'{least} or more'}, got {value}", [key])
        if self.lease_renew_s >= self.lease_duration_s:
            raise ConfigError(f"lease_renew_s ({self.lease_renew_s}) must be below lease_duration_s ({self.lease_duration_s})")
        bootstrap = self.bootstrap
        if bootstrap and (self.apiserver.tls, self.serving_tls) != (bootstrap.client_tls, bootstrap.serving_tls):
            raise ConfigError(
                "with bootstrap, apiserver.tls and serving_tls must be the files it makes: cert_file and key_file "
                f"{bootstrap.client_tls.cert_file!r} and {bootstrap.serving_tls.cert_file!r}, ca_file {bootstrap.ca_file!r}")
        if self.container_log_max_files < 2:
            raise ConfigError(f"container_log_max_files ({self.container_log_max_files}) must be above 1")
        low, high = self.image_gc_low_threshold_percent, self.image_gc_high_threshold_percent
        if not 0 <= low <= high <= 100:
            raise ConfigError(
                f"image_gc_low_threshold_percent ({low}) must be 0 to 100 and not above image_gc_high_threshold_percent ({high})")
        if self.eviction_hard is not None or self.eviction_soft or self.eviction_soft_grace_period_s or self.eviction_minimum_reclaim:
            self.eviction_thresholds()
        if len(self.run_dir) > 60:
            raise ConfigError(f"run_dir is too long for the sockets below it: {self.run_dir!r} is above 60 characters")

    @property
    def image_policy(self) -> ImagePolicy:
        return ImagePolicy(
            high_percent=self.image_gc_high_threshold_percent, low_percent=self.image_gc_low_threshold_percent,
            minimum_age_s=self.image_minimum_gc_age_s, maximum_age_s=self.image_maximum_gc_age_s, period_s=self.image_gc_period_s,
        )

    @property
    def registry_settings(self) -> RegistrySettings:
        return RegistrySettings(listed=self.registries, local_networks=self.local_networks, config_dir=self.registry_config_dir)

    def eviction_thresholds(self) -> tuple[Threshold, ...]:
        """Raises ConfigError."""
        from node_agent.kubelet.eviction.thresholds import default_hard, parse_thresholds  # not for who only writes configurations

        hard = self.eviction_hard if self.eviction_hard is not None else default_hard(own_disk=bool(self.capacity_disk))
        return parse_thresholds(hard, self.eviction_soft, self.eviction_soft_grace_period_s, self.eviction_minimum_reclaim)
