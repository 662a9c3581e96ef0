"""Settings of kube-scheduler."""

from __future__ import annotations

from kube.process.config import ApiserverAccess, Config, TlsFiles


class SchedulerConfig(Config, frozen=True):
    """Upstream's defaults where upstream has the setting."""

    apiserver: ApiserverAccess
    serving_tls: TlsFiles | None = None      # None: health and metrics are served without TLS
    health_port: int = 10259                 # --secure-port
    leader_elect: bool = True
    identity: str = ""                       # of this process in the Lease; default: hostname_uuid
    pod_initial_backoff_s: float = 1.0       # podInitialBackoffSeconds
    pod_max_backoff_s: float = 10.0          # podMaxBackoffSeconds
