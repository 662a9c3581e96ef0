"""kube-apiserver's own flags. All other settings are in the configuration file alone."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.admission.catalog import switches_help
from kube.process.flags import Flag, FlagGroup

# Flags of earlier kube-apiservers.
REMOVED: Final = {
    "basic-auth-file": "use token_auth_file, client certificates or OpenID Connect",
    "insecure-port": "use secure_port", "insecure-bind-address": "use secure_port",
    "service-account-api-audiences": "use api_audiences", "experimental-encryption-provider-config": "use encryption_provider_config",
    "admission-control": "use --enable-admission-plugins and --disable-admission-plugins",
    "kubelet-https": "kubelets are always reached by TLS", "cloud-provider": "the cloud-controller-manager is a process of its own",
    "cloud-config": "the cloud-controller-manager is a process of its own", "target-ram-mb": "nothing takes its place",
    "etcd-quorum-read": "every read is a quorum read", "enable-swagger-ui": "read /openapi/v3",
}


def flag_groups() -> list[FlagGroup]:
    """With the words of upstream's help."""
    disable, enable = switches_help()
    return [FlagGroup("Admission flags", (
        Flag("admission-control-config-file", "string", "File with admission control configuration."),
        Flag("default-not-ready-toleration-seconds", "int", _toleration("notReady")),
        Flag("default-unreachable-toleration-seconds", "int", _toleration("unreachable")),
        Flag("disable-admission-plugins", "strings", disable),
        Flag("enable-admission-plugins", "strings", enable),
    ))]


def _toleration(taint: str) -> str:
    return (
        f"Indicates the tolerationSeconds of the toleration for {taint}:NoExecute that is added by default to every pod "
        "that does not already have such a toleration. (default 300)"
    )
