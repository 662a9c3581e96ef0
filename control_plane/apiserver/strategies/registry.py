"""Which strategy a resource has. A kind without an entry follows the generic rules; a custom one brings its own."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from control_plane.apiserver.custom.definition_strategy import CustomResourceDefinitionStrategy
from control_plane.apiserver.strategies import (
    admission_policies,
    autoscaling,
    batch,
    certificates,
    cluster,
    cluster_trust_bundles,
    config,
    device_claims,
    endpoints,
    events,
    extensions,
    flow_control,
    networking,
    persistent_volume_claims,
    persistent_volumes,
    pod_certificate_requests,
    pods,
    policy,
    quotas,
    rbac,
    resource_slices,
    services,
    stateful_sets,
    storage,
    storage_migrations,
    webhooks,
    workloads,
)
from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.scheme import GroupResource, ResourceType

_KINDS: dict[str, dict[str, type[Strategy]]] = {
    "": {
        "configmaps": config.ConfigMapStrategy, "secrets": config.SecretStrategy, "serviceaccounts": config.ServiceAccountStrategy,
        "namespaces": cluster.NamespaceStrategy, "nodes": cluster.NodeStrategy, "events": events.EventStrategy,
        "endpoints": endpoints.EndpointsStrategy, "services": services.ServiceStrategy, "pods": pods.PodStrategy,
        "podtemplates": pods.PodTemplateStrategy, "replicationcontrollers": workloads.ReplicationControllerStrategy,
        "persistentvolumes": persistent_volumes.PersistentVolumeStrategy,
        "persistentvolumeclaims": persistent_volume_claims.PersistentVolumeClaimStrategy,
        "limitranges": quotas.LimitRangeStrategy, "resourcequotas": quotas.ResourceQuotaStrategy,
    },
    "apps": {
        "deployments": workloads.DeploymentStrategy, "replicasets": workloads.ReplicaSetStrategy,
        "statefulsets": stateful_sets.StatefulSetStrategy, "daemonsets": workloads.DaemonSetStrategy,
        "controllerrevisions": workloads.ControllerRevisionStrategy,
    },
    "batch": {"jobs": batch.JobStrategy, "cronjobs": batch.CronJobStrategy},
    "autoscaling": {"horizontalpodautoscalers": autoscaling.AutoscalerStrategy},
    "policy": {"poddisruptionbudgets": policy.DisruptionBudgetStrategy},
    "discovery.k8s.io": {"endpointslices": endpoints.EndpointSliceStrategy},
    "coordination.k8s.io": {"leases": cluster.LeaseStrategy},
    "events.k8s.io": {"events": events.EventStrategy},
    "node.k8s.io": {"runtimeclasses": cluster.RuntimeClassStrategy},
    "scheduling.k8s.io": {"priorityclasses": cluster.PriorityClassStrategy},
    "networking.k8s.io": {
        "ingresses": networking.IngressStrategy, "ingressclasses": networking.IngressClassStrategy,
        "networkpolicies": networking.NetworkPolicyStrategy, "ipaddresses": networking.IPAddressStrategy,
        "servicecidrs": networking.ServiceCIDRStrategy,
    },
    "rbac.authorization.k8s.io": {
        "roles": rbac.RoleStrategy, "clusterroles": rbac.RoleStrategy,
        "rolebindings": rbac.BindingStrategy, "clusterrolebindings": rbac.BindingStrategy,
    },
    "storage.k8s.io": {
        "storageclasses": storage.StorageClassStrategy, "csidrivers": storage.CSIDriverStrategy, "csinodes": storage.CSINodeStrategy,
        "csistoragecapacities": storage.CSIStorageCapacityStrategy, "volumeattachments": storage.VolumeAttachmentStrategy,
        "volumeattributesclasses": storage.VolumeAttributesClassStrategy,
    },
    "certificates.k8s.io": {
        "certificatesigningrequests": certificates.CertificateRequestStrategy,
        "podcertificaterequests": pod_certificate_requests.PodCertificateRequestStrategy,
        "clustertrustbundles": cluster_trust_bundles.ClusterTrustBundleStrategy,
    },
    "storagemigration.k8s.io": {"storageversionmigrations": storage_migrations.StorageVersionMigrationStrategy},
    "apiextensions.k8s.io": {"customresourcedefinitions": CustomResourceDefinitionStrategy},
    "apiregistration.k8s.io": {"apiservices": extensions.APIServiceStrategy},
    "admissionregistration.k8s.io": {
        "mutatingwebhookconfigurations": webhooks.WebhookConfigurationStrategy,
        "validatingwebhookconfigurations": webhooks.WebhookConfigurationStrategy,
        "validatingadmissionpolicies": admission_policies.ValidatingPolicyStrategy,
        "validatingadmissionpolicybindings": admission_policies.PolicyBindingStrategy,
        "mutatingadmissionpolicies": admission_policies.MutatingPolicyStrategy,
        "mutatingadmissionpolicybindings": admission_policies.PolicyBindingStrategy,
    },
    "flowcontrol.apiserver.k8s.io": {
        "flowschemas": flow_control.FlowSchemaStrategy, "prioritylevelconfigurations": flow_control.PriorityLevelStrategy,
    },
    "resource.k8s.io": {
        "resourceslices": resource_slices.ResourceSliceStrategy, "deviceclasses": device_claims.DeviceClassStrategy,
        "resourceclaims": device_claims.ResourceClaimStrategy, "resourceclaimtemplates": device_claims.ResourceClaimTemplateStrategy,
    },
}
_BY_RESOURCE = {GroupResource(group, plural): kind for group, kinds in _KINDS.items() for plural, kind in kinds.items()}


@lru_cache(maxsize=1024)
def strategy_for(resource: ResourceType) -> Strategy:
    """The rules of this resource; one strategy per resource, shared."""
    if resource.custom is not None:
        return cast(Strategy, resource.custom.strategy(resource))
    return _BY_RESOURCE.get(resource.group_resource, Strategy)(resource)
