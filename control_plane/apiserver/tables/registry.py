"""Which table a resource has; kinds without an entry are printed by name and creation time."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from control_plane.apiserver.tables import cluster, config, extensions, pods, policy, services, storage, workloads
from control_plane.apiserver.tables.printer import DEFAULT, Table, TablePrinter
from kube.apimachinery.scheme import GroupResource, GroupVersionKind, ResourceType

_TABLES: Final[dict[str, dict[str, Table]]] = {
    "": {
        "pods": pods.POD, "podtemplates": pods.POD_TEMPLATE, "replicationcontrollers": workloads.REPLICATION_CONTROLLER,
        "services": services.SERVICE, "endpoints": services.ENDPOINTS, "nodes": cluster.NODE, "namespaces": cluster.NAMESPACE,
        "events": cluster.EVENT, "componentstatuses": cluster.COMPONENT_STATUS, "configmaps": config.CONFIG_MAP, "secrets": config.SECRET,
        "serviceaccounts": config.NAME_AND_AGE, "persistentvolumes": storage.PERSISTENT_VOLUME,
        "persistentvolumeclaims": storage.PERSISTENT_VOLUME_CLAIM, "resourcequotas": policy.RESOURCE_QUOTA,
    },
    "apps": {
        "deployments": workloads.DEPLOYMENT, "replicasets": workloads.REPLICA_SET, "statefulsets": workloads.STATEFUL_SET,
        "daemonsets": workloads.DAEMON_SET, "controllerrevisions": workloads.CONTROLLER_REVISION,
    },
    "batch": {"jobs": workloads.JOB, "cronjobs": workloads.CRON_JOB},
    "autoscaling": {"horizontalpodautoscalers": policy.HORIZONTAL_POD_AUTOSCALER},
    "policy": {"poddisruptionbudgets": policy.POD_DISRUPTION_BUDGET},
    "discovery.k8s.io": {"endpointslices": services.ENDPOINT_SLICE},
    "coordination.k8s.io": {"leases": cluster.LEASE},
    "events.k8s.io": {"events": cluster.EVENT},
    "scheduling.k8s.io": {"priorityclasses": cluster.PRIORITY_CLASS},
    "node.k8s.io": {"runtimeclasses": cluster.RUNTIME_CLASS},
    "networking.k8s.io": {
        "ingresses": services.INGRESS, "ingressclasses": services.INGRESS_CLASS, "networkpolicies": services.NETWORK_POLICY,
        "servicecidrs": services.SERVICE_CIDR, "ipaddresses": services.IP_ADDRESS,
    },
    "rbac.authorization.k8s.io": {"rolebindings": config.ROLE_BINDING, "clusterrolebindings": config.CLUSTER_ROLE_BINDING},
    "storage.k8s.io": {
        "storageclasses": storage.STORAGE_CLASS, "volumeattributesclasses": storage.VOLUME_ATTRIBUTES_CLASS,
        "volumeattachments": storage.VOLUME_ATTACHMENT, "csinodes": storage.CSI_NODE, "csidrivers": storage.CSI_DRIVER,
        "csistoragecapacities": storage.CSI_STORAGE_CAPACITY,
    },
    "certificates.k8s.io": {
        "certificatesigningrequests": extensions.CERTIFICATE_REQUEST, "clustertrustbundles": extensions.TRUST_BUNDLE,
        "podcertificaterequests": extensions.POD_CERTIFICATE_REQUEST,
    },
    "admissionregistration.k8s.io": {
        "mutatingwebhookconfigurations": extensions.WEBHOOKS, "validatingwebhookconfigurations": extensions.WEBHOOKS,
        "validatingadmissionpolicies": extensions.VALIDATING_POLICY, "mutatingadmissionpolicies": extensions.MUTATING_POLICY,
        "validatingadmissionpolicybindings": extensions.POLICY_BINDING, "mutatingadmissionpolicybindings": extensions.POLICY_BINDING,
    },
    "apiregistration.k8s.io": {"apiservices": extensions.API_SERVICE},
    "flowcontrol.apiserver.k8s.io": {
        "flowschemas": extensions.FLOW_SCHEMA, "prioritylevelconfigurations": extensions.PRIORITY_LEVEL,
    },
    "resource.k8s.io": {
        "deviceclasses": config.NAME_AND_AGE, "resourceclaims": extensions.RESOURCE_CLAIM, "resourceclaimtemplates": config.NAME_AND_AGE,
        "resourceslices": extensions.RESOURCE_SLICE, "devicetaintrules": extensions.DEVICE_TAINT_RULE,
    },
    "storagemigration.k8s.io": {"storageversionmigrations": extensions.STORAGE_MIGRATION},
}
SCALE: Final = GroupVersionKind("autoscaling", "v1", "Scale")
_BY_RESOURCE: Final = {GroupResource(group, plural): table for group, tables in _TABLES.items() for plural, table in tables.items()}


@lru_cache(maxsize=1024)
def table_for(resource: ResourceType) -> TablePrinter:
    if resource.custom is not None:
        return TablePrinter(resource.storage_gvk, resource.custom.table)
    return TablePrinter(resource.storage_gvk, _BY_RESOURCE.get(resource.group_resource, DEFAULT))


@lru_cache(maxsize=1)
def scale_table() -> TablePrinter:
    """Of the subresource, whatever is scaled."""
    return TablePrinter(SCALE, workloads.SCALE)
