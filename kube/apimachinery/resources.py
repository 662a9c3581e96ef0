"""Every resource that v1.37 serves in its GA groups, in the order of upstream's discovery.

Groups stand by upstream's priority (as `kubectl api-versions` would be asked), resources by name within a version, a group's preferred
version first. What a subresource takes and answers stands in SUBRESOURCES, for discovery and for decoding its bodies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from kube.apimachinery.scheme import GroupVersionKind, ResourceType, Scheme

ADMISSION = "admissionregistration.k8s.io"
API_EXTENSIONS = "apiextensions.k8s.io"
API_REGISTRATION = "apiregistration.k8s.io"
AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.k8s.io"
CERTIFICATES = "certificates.k8s.io"
COORDINATION = "coordination.k8s.io"
DISCOVERY = "discovery.k8s.io"
EVENTS = "events.k8s.io"
FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"
NETWORKING = "networking.k8s.io"
NODE = "node.k8s.io"
RBAC = "rbac.authorization.k8s.io"
RESOURCE = "resource.k8s.io"
SCHEDULING = "scheduling.k8s.io"
STORAGE = "storage.k8s.io"
STORAGE_MIGRATION = "storagemigration.k8s.io"

ALL = ("all",)
EXTENSIONS = ("api-extensions",)
STATUS = ("status",)
SCALABLE = ("scale", "status")
CREATE = ("create",)

_core = partial(ResourceType, "", "v1")
_apps = partial(ResourceType, "apps", "v1")
_authorization = partial(ResourceType, AUTHORIZATION, "v1", verbs=CREATE)
_certificates = partial(ResourceType, CERTIFICATES, "v1")
_networking = partial(ResourceType, NETWORKING, "v1")
_rbac = partial(ResourceType, RBAC, "v1")
_storage = partial(ResourceType, STORAGE, "v1")
_admission = partial(ResourceType, ADMISSION, "v1", namespaced=False, categories=EXTENSIONS)
_resource = partial(ResourceType, RESOURCE, "v1")
_flow_control = partial(ResourceType, FLOW_CONTROL, "v1", namespaced=False, subresources=STATUS)
_hpa = partial(
    ResourceType, "autoscaling", kind="HorizontalPodAutoscaler", plural="horizontalpodautoscalers",
    subresources=STATUS, short_names=("hpa",), categories=ALL, storage_version="v2",
)
# Deleting all Namespaces at once is not offered.
_WITHOUT_COLLECTION = ("create", "delete", "get", "list", "patch", "update", "watch")

RESOURCES: tuple[ResourceType, ...] = (
    _core("Binding", "bindings", verbs=CREATE),
    _core("ComponentStatus", "componentstatuses", namespaced=False, short_names=("cs",), verbs=("get", "list")),
    _core("ConfigMap", "configmaps", short_names=("cm",)),
    _core("Endpoints", "endpoints", short_names=("ep",)),
    _core("Event", "events", short_names=("ev",)),
    _core("LimitRange", "limitranges", short_names=("limits",)),
    _core("Namespace", "namespaces", namespaced=False, subresources=("finalize", "status"), short_names=("ns",),
          verbs=_WITHOUT_COLLECTION),
    _core("Node", "nodes", namespaced=False, subresources=("proxy", "status"), short_names=("no",)),
    _core("PersistentVolumeClaim", "persistentvolumeclaims", subresources=STATUS, short_names=("pvc",)),
    _core("PersistentVolume", "persistentvolumes", namespaced=False, subresources=STATUS, short_names=("pv",)),
    _core("Pod", "pods", short_names=("po",), categories=ALL, subresources=(
        "attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "resize", "status")),
    _core("PodTemplate", "podtemplates"),
    _core("ReplicationController", "replicationcontrollers", subresources=SCALABLE, short_names=("rc",), categories=ALL),
    _core("ResourceQuota", "resourcequotas", subresources=STATUS, short_names=("quota",)),
    _core("Secret", "secrets"),
    _core("ServiceAccount", "serviceaccounts", subresources=("token",), short_names=("sa",)),
    _core("Service", "services", subresources=("proxy", "status"), short_names=("svc",), categories=ALL),

    ResourceType(API_REGISTRATION, "v1", "APIService", "apiservices", namespaced=False, subresources=STATUS, categories=EXTENSIONS),

    _apps("ControllerRevision", "controllerrevisions"),
    _apps("DaemonSet", "daemonsets", subresources=STATUS, short_names=("ds",), categories=ALL),
    _apps("Deployment", "deployments", subresources=SCALABLE, short_names=("deploy",), categories=ALL),
    _apps("ReplicaSet", "replicasets", subresources=SCALABLE, short_names=("rs",), categories=ALL),
    _apps("StatefulSet", "statefulsets", subresources=SCALABLE, short_names=("sts",), categories=ALL),

    ResourceType(EVENTS, "v1", "Event", "events", short_names=("ev",), storage_group=""),

    ResourceType(AUTHENTICATION, "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False, verbs=CREATE),
    ResourceType(AUTHENTICATION, "v1", "TokenReview", "tokenreviews", namespaced=False, verbs=CREATE),

    _authorization("LocalSubjectAccessReview", "localsubjectaccessreviews"),
    _authorization("SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False),
    _authorization("SelfSubjectRulesReview", "selfsubjectrulesreviews", namespaced=False),
    _authorization("SubjectAccessReview", "subjectaccessreviews", namespaced=False),

    _hpa(version="v2"),
    _hpa(version="v1"),

    ResourceType("batch", "v1", "CronJob", "cronjobs", subresources=STATUS, short_names=("cj",), categories=ALL),
    ResourceType("batch", "v1", "Job", "jobs", subresources=STATUS, categories=ALL),

    _certificates("CertificateSigningRequest", "certificatesigningrequests", namespaced=False,
                  subresources=("approval", "status"), short_names=("csr",)),
    _certificates("ClusterTrustBundle", "clustertrustbundles", namespaced=False, hashed_version="v1beta1"),
    _certificates("PodCertificateRequest", "podcertificaterequests", subresources=STATUS, hashed_version="v1beta1"),

    _networking("IngressClass", "ingressclasses", namespaced=False),
    _networking("Ingress", "ingresses", subresources=STATUS, short_names=("ing",)),
    _networking("IPAddress", "ipaddresses", namespaced=False, short_names=("ip",)),
    _networking("NetworkPolicy", "networkpolicies", short_names=("netpol",)),
    _networking("ServiceCIDR", "servicecidrs", namespaced=False, subresources=STATUS),

    ResourceType("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", subresources=STATUS, short_names=("pdb",)),

    _rbac("ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _rbac("ClusterRole", "clusterroles", namespaced=False),
    _rbac("RoleBinding", "rolebindings"),
    _rbac("Role", "roles"),

    _storage("CSIDriver", "csidrivers", namespaced=False),
    _storage("CSINode", "csinodes", namespaced=False, subresources=STATUS),
    _storage("CSIStorageCapacity", "csistoragecapacities"),
    _storage("StorageClass", "storageclasses", namespaced=False, short_names=("sc",)),
    _storage("VolumeAttachment", "volumeattachments", namespaced=False, subresources=STATUS),
    _storage("VolumeAttributesClass", "volumeattributesclasses", namespaced=False, short_names=("vac",)),

    _admission("MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    _admission("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    _admission("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    _admission("ValidatingAdmissionPolicy", "validatingadmissionpolicies", subresources=STATUS),
    _admission("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    _admission("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),

    ResourceType(API_EXTENSIONS, "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False,
                 subresources=STATUS, short_names=("crd", "crds"), categories=EXTENSIONS, hashed_version="v1beta1"),

    ResourceType(SCHEDULING, "v1", "PriorityClass", "priorityclasses", namespaced=False, short_names=("pc",)),
    ResourceType(COORDINATION, "v1", "Lease", "leases"),
    ResourceType(NODE, "v1", "RuntimeClass", "runtimeclasses", namespaced=False),
    ResourceType(DISCOVERY, "v1", "EndpointSlice", "endpointslices"),

    _flow_control("FlowSchema", "flowschemas"),
    _flow_control("PriorityLevelConfiguration", "prioritylevelconfigurations"),

    _resource("DeviceClass", "deviceclasses", namespaced=False),
    _resource("DeviceTaintRule", "devicetaintrules", namespaced=False, subresources=STATUS, hashed_version="v1beta2"),
    _resource("ResourceClaim", "resourceclaims", subresources=STATUS),
    _resource("ResourceClaimTemplate", "resourceclaimtemplates"),
    _resource("ResourceSlice", "resourceslices", namespaced=False),

    ResourceType(STORAGE_MIGRATION, "v1", "StorageVersionMigration", "storageversionmigrations", namespaced=False, subresources=STATUS,
                 hashed_version="v1beta1"),
)

SCHEME = Scheme(RESOURCES)


@dataclass(frozen=True, slots=True)
class Subresource:
    """What discovery says of a subresource. `kind` is None where it is the parent's own kind."""

    verbs: tuple[str, ...]
    kind: GroupVersionKind | None = None


_WRITABLE = ("get", "patch", "update")
_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")


def _core_kind(kind: str) -> GroupVersionKind:
    return GroupVersionKind("", "v1", kind)


# By (plural, subresource), or ("", subresource) where all resources agree.
SUBRESOURCES: dict[tuple[str, str], Subresource] = {
    ("", "status"): Subresource(_WRITABLE),
    ("", "scale"): Subresource(_WRITABLE, GroupVersionKind("autoscaling", "v1", "Scale")),
    ("", "approval"): Subresource(_WRITABLE),
    ("namespaces", "finalize"): Subresource(("update",)),
    ("nodes", "proxy"): Subresource(_PROXY, _core_kind("NodeProxyOptions")),
    ("pods", "attach"): Subresource(_CONNECT, _core_kind("PodAttachOptions")),
    ("pods", "binding"): Subresource(CREATE, _core_kind("Binding")),
    ("pods", "ephemeralcontainers"): Subresource(_WRITABLE),
    ("pods", "eviction"): Subresource(CREATE, GroupVersionKind("policy", "v1", "Eviction")),
    ("pods", "exec"): Subresource(_CONNECT, _core_kind("PodExecOptions")),
    ("pods", "log"): Subresource(("get",)),
    ("pods", "portforward"): Subresource(_CONNECT, _core_kind("PodPortForwardOptions")),
    ("pods", "proxy"): Subresource(_PROXY, _core_kind("PodProxyOptions")),
    ("pods", "resize"): Subresource(_WRITABLE),
    ("serviceaccounts", "token"): Subresource(CREATE, GroupVersionKind(AUTHENTICATION, "v1", "TokenRequest")),
    ("services", "proxy"): Subresource(_PROXY, _core_kind("ServiceProxyOptions")),
}


def subresource_of(resource: ResourceType, name: str) -> Subresource:
    """Verbs and kind of one of the resource's subresources; a KeyError for a name that nothing declares."""
    return SUBRESOURCES.get((resource.plural, name)) or SUBRESOURCES["", name]


def subresource_kind(resource: ResourceType, name: str) -> GroupVersionKind:
    return subresource_of(resource, name).kind or resource.gvk
