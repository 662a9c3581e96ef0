"""All admission plugins in upstream's order, which of them are on, and the words of `kube-apiserver --help` about them.

Follows pkg/kubeapiserver/options/plugins.go and apiserver's pkg/server/options/admission.go. A plugin that is off is not even imported.
A new plugin is a file here and a row below: its place is upstream's (AllOrderedPlugins), `on` is whether upstream has it on by default.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from kube.process.config import ConfigError

if TYPE_CHECKING:
    from control_plane.apiserver.admission.plugin import Plugin, PluginNames

_PACKAGE: Final = "control_plane.apiserver.admission."


class PluginRow(NamedTuple):
    name: str
    module: str           # below this package; its class is called as the plugin
    on: bool = False      # by default

    def load(self) -> type[Plugin]:
        found: type[Plugin] = getattr(import_module(_PACKAGE + self.module), self.name)
        return found


ADMISSION_CHAIN: Final[tuple[PluginRow, ...]] = (
    PluginRow("AlwaysAdmit", "always_admit"),
    PluginRow("NamespaceAutoProvision", "namespace_auto_provision"),
    PluginRow("NamespaceLifecycle", "namespace_lifecycle", on=True),      # before all that would ask whether the namespace is there
    PluginRow("NamespaceExists", "namespace_exists"),
    PluginRow("LimitPodHardAntiAffinityTopology", "limit_pod_hard_anti_affinity_topology"),
    PluginRow("LimitRanger", "limit_ranger", on=True),
    PluginRow("ServiceAccount", "service_account", on=True),
    PluginRow("NodeRestriction", "node_restriction", on=True),            # kubeadm's choice; after ServiceAccount: see mirror Pods
    PluginRow("TaintNodesByCondition", "taint_nodes_by_condition", on=True),
    PluginRow("AlwaysPullImages", "always_pull_images"),
    PluginRow("ImagePolicyWebhook", "image_policy_webhook"),
    PluginRow("PodSecurity", "pod_security.plugin", on=True),
    PluginRow("PodNodeSelector", "pod_node_selector"),
    PluginRow("Priority", "priority", on=True),
    PluginRow("DefaultTolerationSeconds", "default_toleration_seconds", on=True),
    PluginRow("PodTolerationRestriction", "pod_toleration_restriction"),
    PluginRow("EventRateLimit", "event_rate_limit"),
    PluginRow("ExtendedResourceToleration", "extended_resource_toleration"),
    PluginRow("DefaultStorageClass", "default_storage_class", on=True),
    PluginRow("StorageObjectInUseProtection", "storage_object_in_use_protection", on=True),
    PluginRow("PodGroupProtection", "pod_group_protection", on=True),
    PluginRow("OwnerReferencesPermissionEnforcement", "owner_references_permission_enforcement"),
    PluginRow("PersistentVolumeClaimResize", "persistent_volume_claim_resize", on=True),
    PluginRow("RuntimeClass", "runtime_class", on=True),
    PluginRow("CertificateApproval", "certificate_approval", on=True),
    PluginRow("CertificateSigning", "certificate_signing", on=True),
    PluginRow("ClusterTrustBundleAttest", "cluster_trust_bundle_attest", on=True),
    PluginRow("CertificateSubjectRestriction", "certificate_subject_restriction", on=True),
    PluginRow("DefaultIngressClass", "default_ingress_class", on=True),
    PluginRow("DenyServiceExternalIPs", "deny_service_external_ips"),
    PluginRow("PodTopologyLabels", "pod_topology_labels", on=True),
    PluginRow("NodeDeclaredFeatureValidator", "node_declared_feature_validator", on=True),
    PluginRow("PodResizeValidator", "pod_resize_validator", on=True),
    # New plugins stand above. Policies and webhooks see what those filled in; ResourceQuota, after them, counts what is really written.
    PluginRow("MutatingAdmissionPolicy", "policies.mutating", on=True),
    PluginRow("MutatingAdmissionWebhook", "webhooks.mutating", on=True),
    PluginRow("ValidatingAdmissionPolicy", "policies.validating", on=True),
    PluginRow("ValidatingAdmissionWebhook", "webhooks.validating", on=True),
    PluginRow("ResourceQuota", "resource_quota.plugin", on=True),
    PluginRow("AlwaysDeny", "always_deny"),
)


def switched(enable: PluginNames, disable: PluginNames) -> list[PluginRow]:
    """The rows that are on, in order. Raises ConfigError with upstream's words for an unknown name, or one that is both on and off."""
    enabled, disabled = tuple(enable), tuple(disable)
    known = {row.name for row in ADMISSION_CHAIN}
    for option, names in (("enable-admission-plugins", enabled), ("disable-admission-plugins", disabled)):
        for name in names:
            if name not in known:
                raise ConfigError(f'{option} plugin "{name}" is unknown')
    if both := sorted({*enabled} & {*disabled}):
        raise ConfigError(f"[{' '.join(both)}] in enable-admission-plugins and disable-admission-plugins overlapped")
    return [row for row in ADMISSION_CHAIN if row.name in enabled or (row.on and row.name not in disabled)]


def switches_help(chain: Collection[PluginRow] = ADMISSION_CHAIN) -> tuple[str, str]:
    """What the help says about --disable-admission-plugins, --enable-admission-plugins."""
    defaults, known = _listed(row.name for row in chain if row.on), _listed(sorted(row.name for row in chain))
    end = f"({defaults}). Comma-delimited list of admission plugins: {known}. The order of plugins in this flag does not matter."
    return (
        f"admission plugins that should be disabled although they are in the default enabled plugins list {end}",
        f"admission plugins that should be enabled in addition to default enabled ones {end}",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
