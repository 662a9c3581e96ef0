"""One role per controller. Facts of upstream's bootstrap policy.

Upstream's controller manager acts as one service account per controller. Ours is one client with its own certificate, so each
binding also names the user system:kube-controller-manager: together it may do what its controllers may, and no more.
"""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.authorization.policy_notation import (
    EVENTS,
    READ,
    PolicyRule,
    cluster_role,
    cluster_role_binding,
    rule,
    service_account,
    user,
)
from kube.apimachinery.meta import JsonObject

_POD_OWNER: Final = rule("create delete list patch watch", "core", "pods")
_SIGNERS: Final = (
    "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving "
    "kubernetes.io/legacy-unknown"
)
_SLICES: Final = rule("create delete get list update watch", "discovery.k8s.io", "endpointslices")

_RULES: Final[dict[str, tuple[PolicyRule, ...]]] = {
    "attachdetach-controller": (
        rule("list watch", "core", "persistentvolumeclaims persistentvolumes"), rule(READ, "core", "nodes"),
        rule("patch update", "core", "nodes/status"), rule("list watch", "core", "pods"), EVENTS,
        rule(f"create delete {READ}", "storage.k8s.io", "volumeattachments"), rule(READ, "storage.k8s.io", "csidrivers"),
        rule(READ, "storage.k8s.io", "csinodes"),
    ),
    "certificate-controller": (
        rule(f"delete {READ}", "certificates.k8s.io", "certificatesigningrequests"),
        rule("update", "certificates.k8s.io", "certificatesigningrequests/approval certificatesigningrequests/status"),
        rule("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
        rule("sign", "certificates.k8s.io", "signers", _SIGNERS),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"), EVENTS,
    ),
    "clusterrole-aggregation-controller": (
        rule("escalate get list patch update watch", "rbac.authorization.k8s.io", "clusterroles"),
    ),
    "cronjob-controller": (
        rule(f"{READ} update", "batch", "cronjobs"), rule(f"create delete {READ} patch update", "batch", "jobs"),
        rule("update", "batch", "cronjobs/status"), rule("update", "batch", "cronjobs/finalizers"),
        rule("delete list watch", "core", "pods"), EVENTS,
    ),
    "daemon-set-controller": (
        rule(READ, "apps extensions", "daemonsets"), rule("update", "apps extensions", "daemonsets/status"),
        rule("update", "apps extensions", "daemonsets/finalizers"), rule("list watch", "core", "nodes"), _POD_OWNER,
        rule("create", "core", "pods/binding"), rule(f"create delete {READ} patch update", "apps", "controllerrevisions"), EVENTS,
    ),
    "deployment-controller": (
        rule(f"{READ} update", "apps extensions", "deployments"), rule("update", "apps extensions", "deployments/status"),
        rule("update", "apps extensions", "deployments/finalizers"),
        rule(f"create delete {READ} patch update", "apps extensions", "replicasets"), rule(f"{READ} update", "core", "pods"), EVENTS,
    ),
    "disruption-controller": (
        rule(READ, "apps extensions", "deployments"), rule(READ, "apps extensions", "replicasets"),
        rule(READ, "core", "replicationcontrollers"), rule(READ, "policy", "poddisruptionbudgets"), rule(READ, "apps", "statefulsets"),
        rule("update", "policy", "poddisruptionbudgets/status"), rule("patch update", "core", "pods/status"),
        rule("get", "*", "*/scale"), EVENTS,
    ),
    "endpoint-controller": (
        rule(READ, "core", "pods services"), rule(f"create delete {READ} update", "core", "endpoints"),
        rule("create", "core", "endpoints/restricted"), EVENTS,
    ),
    "endpointslice-controller": (
        rule(READ, "core", "nodes pods services"), rule("update", "core", "services/finalizers"), _SLICES,
        rule("create", "discovery.k8s.io", "endpointslices/restricted"), EVENTS,
    ),
    "endpointslicemirroring-controller": (
        rule(READ, "core", "endpoints services"), rule("update", "core", "services/finalizers"),
        rule("update", "core", "endpoints/finalizers"), _SLICES,
        rule("create", "discovery.k8s.io", "endpointslices/restricted"), EVENTS,
    ),
    "ephemeral-volume-controller": (
        rule(READ, "core", "pods"), rule("update", "core", "pods/finalizers"),
        rule(f"create {READ}", "core", "persistentvolumeclaims"), EVENTS,
    ),
    "expand-controller": (
        rule(f"{READ} patch update", "core", "persistentvolumes"), rule("patch update", "core", "persistentvolumeclaims/status"),
        rule(READ, "core", "persistentvolumeclaims"), EVENTS,
    ),
    "generic-garbage-collector": (rule(f"delete {READ} patch update", "*", "*"), EVENTS),
    "horizontal-pod-autoscaler": (
        rule(READ, "autoscaling", "horizontalpodautoscalers"), rule("update", "autoscaling", "horizontalpodautoscalers/status"),
        rule("get update", "*", "*/scale"), rule("list watch", "core", "pods"), rule("list", "metrics.k8s.io", "pods"),
        rule("get list", "custom.metrics.k8s.io", "*"), rule("get list", "external.metrics.k8s.io", "*"), EVENTS,
    ),
    "job-controller": (
        rule(f"{READ} patch update", "batch", "jobs"), rule("update", "batch", "jobs/status"), rule("update", "batch", "jobs/finalizers"),
        _POD_OWNER, EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        rule("get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"), rule("delete patch", "core", "secrets"),
    ),
    "namespace-controller": (
        rule(f"delete {READ}", "core", "namespaces"), rule("update", "core", "namespaces/finalize namespaces/status"),
        rule(f"delete deletecollection {READ}", "*", "*"),
    ),
    "node-controller": (
        rule(f"delete {READ} patch update", "core", "nodes"), rule("patch update", "core", "nodes/status"),
        rule("patch update", "core", "pods/status"), rule(f"delete {READ}", "core", "pods"), EVENTS,
    ),
    "persistent-volume-binder": (
        rule(f"create delete {READ} update", "core", "persistentvolumes"), rule("update", "core", "persistentvolumes/status"),
        rule(f"{READ} update", "core", "persistentvolumeclaims"), rule("update", "core", "persistentvolumeclaims/status"),
        rule(f"create delete {READ}", "core", "pods"), rule(READ, "storage.k8s.io", "storageclasses"),
        rule("list watch", "core", "nodes"), rule("watch", "core", "events"), EVENTS,
    ),
    "pod-garbage-collector": (
        rule("delete list watch", "core", "pods"), rule(READ, "core", "nodes"), rule("patch", "core", "pods/status"),
    ),
    "podcertificaterequestcleaner": (rule(f"delete {READ}", "certificates.k8s.io", "podcertificaterequests"),),
    "pv-protection-controller": (rule(f"{READ} update", "core", "persistentvolumes"), EVENTS),
    "pvc-protection-controller": (rule(f"{READ} update", "core", "persistentvolumeclaims"), rule(READ, "core", "pods"), EVENTS),
    "replicaset-controller": (
        rule(f"{READ} update", "apps extensions", "replicasets"), rule("update", "apps extensions", "replicasets/status"),
        rule("update", "apps extensions", "replicasets/finalizers"), _POD_OWNER, EVENTS,
    ),
    "replication-controller": (
        rule(f"{READ} update", "core", "replicationcontrollers"), rule("update", "core", "replicationcontrollers/status"),
        rule("update", "core", "replicationcontrollers/finalizers"), _POD_OWNER, EVENTS,
    ),
    "resource-claim-controller": (
        rule(READ, "core", "pods"), rule("update", "core", "pods/finalizers"),
        rule(f"create delete {READ}", "resource.k8s.io", "resourceclaims"),
        rule("patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"), rule("patch update", "core", "pods/status"),
        EVENTS,
    ),
    "resourcequota-controller": (rule("list watch", "*", "*"), rule("update", "core", "resourcequotas/status"), EVENTS),
    "kube-apiserver-serving-clustertrustbundle-publisher": (
        rule("attest", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-serving"),
        rule("create delete list update watch", "certificates.k8s.io", "clustertrustbundles"), EVENTS,
    ),
    "root-ca-cert-publisher": (rule("create update", "core", "configmaps"), EVENTS),
    "route-controller": (rule("list watch", "core", "nodes"), rule("patch", "core", "nodes/status"), EVENTS),
    "service-account-controller": (rule("create", "core", "serviceaccounts"), EVENTS),
    "service-cidrs-controller": (
        rule(f"{READ} patch update", "networking.k8s.io", "servicecidrs"),
        rule("patch update", "networking.k8s.io", "servicecidrs/finalizers"),
        rule("patch update", "networking.k8s.io", "servicecidrs/status"), rule(READ, "networking.k8s.io", "ipaddresses"), EVENTS,
    ),
    "service-controller": (
        rule(READ, "core", "services"), rule("patch update", "core", "services/status"), rule("list watch", "core", "nodes"), EVENTS,
    ),
    "statefulset-controller": (
        rule("list watch", "core", "pods"), rule(READ, "apps", "statefulsets"), rule("update", "apps", "statefulsets/status"),
        rule("update", "apps", "statefulsets/finalizers"), rule("create delete get patch update", "core", "pods"),
        rule(f"create delete {READ} patch update", "apps", "controllerrevisions"),
        rule(f"create {READ}", "core", "persistentvolumeclaims"), rule("delete update", "core", "persistentvolumeclaims"),
        rule("update", "core", "pods/finalizers"), EVENTS,
    ),
    "storage-version-migrator-controller": (
        rule("list patch", "*", "*"), rule("get", "apiextensions.k8s.io", "customresourcedefinitions"),
        rule("patch", "apiextensions.k8s.io", "customresourcedefinitions/status"),
        rule("update", "storagemigration.k8s.io", "storageversionmigrations/status"),
    ),
    "ttl-after-finished-controller": (rule(f"delete {READ}", "batch", "jobs"), EVENTS),
    "ttl-controller": (rule("list patch update watch", "core", "nodes"), EVENTS),
    "validatingadmissionpolicy-status-controller": (
        rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
        rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"), EVENTS,
    ),
    "volumeattributesclass-protection-controller": (
        rule(READ, "core", "persistentvolumeclaims"), rule(READ, "core", "persistentvolumes"),
        rule(f"{READ} update", "storage.k8s.io", "volumeattributesclasses"), EVENTS,
    ),
}

CONTROLLER_ROLES: Final[tuple[JsonObject, ...]] = tuple(
    cluster_role(f"system:controller:{name}", *rules) for name, rules in _RULES.items()
)
CONTROLLER_BINDINGS: Final[tuple[JsonObject, ...]] = tuple(
    cluster_role_binding(
        f"system:controller:{name}", f"system:controller:{name}", service_account(name), user("system:kube-controller-manager")
    )
    for name in _RULES
)
