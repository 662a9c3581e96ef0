"""/configz: the configuration in force, as upstream's KubeletConfiguration (kubelet.config.k8s.io/v1beta1) names it. Pure.

Only what this kubelet has; what upstream has beyond that is left out, not made up.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kube.apimachinery.go_text import go_duration
from kube.apimachinery.quantity import Format, Quantity
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.eviction.thresholds import default_hard
from node_agent.kubelet.node_status import parse_taint

Json = dict[str, Any]


def configz(config: KubeletConfig) -> Json:
    return {"kubeletconfig": {
        "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", **_server(config), **_node(config),
        **_pods(config), **_images(config), **_eviction(config),
    }}


def _server(config: KubeletConfig) -> Json:
    return {
        "enableServer": True, "port": config.port, "healthzPort": config.healthz_port, "healthzBindAddress": "127.0.0.1",
        "tlsCertFile": config.serving_tls.cert_file, "tlsPrivateKeyFile": config.serving_tls.key_file,
        "rotateCertificates": config.bootstrap is not None, "serverTLSBootstrap": config.bootstrap is not None,
        "authentication": {
            "x509": {"clientCAFile": config.serving_tls.ca_file}, "webhook": {"enabled": True, "cacheTTL": "10s"},
            "anonymous": {"enabled": False},
        },
        "authorization": {"mode": "Webhook", "webhook": {"cacheAuthorizedTTL": "10s", "cacheUnauthorizedTTL": "10s"}},
    }


def _node(config: KubeletConfig) -> Json:
    found: Json = {
        "registerNode": True, "clusterDomain": config.cluster_domain, "clusterDNS": list(config.cluster_dns),
        "resolvConf": config.resolv_conf, "nodeStatusUpdateFrequency": go_duration(config.node_status_update_s),
        "nodeStatusReportFrequency": go_duration(config.node_status_report_s), "nodeLeaseDurationSeconds": config.lease_duration_s,
        "cgroupDriver": "cgroupfs", "cgroupRoot": config.cgroup_parent, "cgroupsPerQOS": True, "failSwapOn": False,
        "enforceNodeAllocatable": ["pods"] if config.capacity_memory else ["none"], "localStorageCapacityIsolation": True,
        "runtimeRequestTimeout": go_duration(config.runtime_request_timeout_s), "syncFrequency": go_duration(config.sync_period_s),
    }
    if config.register_taints:
        found["registerWithTaints"] = msgspec.to_builtins([parse_taint(text) for text in config.register_taints])
    return found


def _pods(config: KubeletConfig) -> Json:
    found: Json = {
        "maxPods": config.max_pods, "podPidsLimit": config.pod_pids_limit, "allowedUnsafeSysctls": list(config.allowed_unsafe_sysctls),
        "containerLogMaxSize": str(Quantity.of(config.container_log_max_bytes, Format.BINARY_SI)),
        "containerLogMaxFiles": config.container_log_max_files,
        "containerLogMonitorInterval": go_duration(config.container_log_monitor_s),
    }
    return {**found, "staticPodPath": config.static_pod_path} if config.static_pod_path else found


def _images(config: KubeletConfig) -> Json:
    return {
        "serializeImagePulls": config.max_parallel_image_pulls == 1, "maxParallelImagePulls": config.max_parallel_image_pulls or None,
        "imageGCHighThresholdPercent": config.image_gc_high_threshold_percent,
        "imageGCLowThresholdPercent": config.image_gc_low_threshold_percent,
        "imageMinimumGCAge": go_duration(config.image_minimum_gc_age_s),
        "imageMaximumGCAge": go_duration(config.image_maximum_gc_age_s),
        "nodeStatusMaxImages": config.node_status_max_images,
    }


def _eviction(config: KubeletConfig) -> Json:
    hard = config.eviction_hard if config.eviction_hard is not None else default_hard(own_disk=bool(config.capacity_disk))
    found: Json = {
        "evictionHard": dict(hard), "evictionPressureTransitionPeriod": go_duration(config.eviction_pressure_transition_period_s),
        "evictionMaxPodGracePeriod": int(config.eviction_max_pod_grace_period_s),
    }
    if config.eviction_soft:
        grace = {signal: go_duration(seconds) for signal, seconds in config.eviction_soft_grace_period_s.items()}
        found |= {"evictionSoft": dict(config.eviction_soft), "evictionSoftGracePeriod": grace}
    if config.eviction_minimum_reclaim:
        found["evictionMinimumReclaim"] = dict(config.eviction_minimum_reclaim)
    return found
