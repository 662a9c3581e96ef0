"""The roles of the components, and who holds which role. Facts of upstream's bootstrap policy and of kubeadm."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.authorization.default_node_rules import NODE_POLICY
from control_plane.apiserver.authorization.policy_notation import (
    EVENTS,
    READ,
    cluster_role,
    cluster_role_binding,
    group,
    role,
    role_binding,
    rule,
    service_account,
    user,
)
from kube.apimachinery.meta import JsonObject

REVIEWS: Final = (
    rule("create", "authentication.k8s.io", "tokenreviews"), rule("create", "authorization.k8s.io", "subjectaccessreviews"),
)
SIGNERS: Final = {
    "kube-apiserver-client-approver": "kubernetes.io/kube-apiserver-client",
    "kube-apiserver-client-kubelet-approver": "kubernetes.io/kube-apiserver-client-kubelet",
    "kubelet-serving-approver": "kubernetes.io/kubelet-serving",
    "legacy-unknown-approver": "kubernetes.io/legacy-unknown",
}
CONTROLLER_MANAGER, SCHEDULER, CLOUD = "system:kube-controller-manager", "system:kube-scheduler", "system:cloud-controller-manager"

COMPONENT_ROLES: Final[tuple[JsonObject, ...]] = (
    cluster_role("system:auth-delegator", *REVIEWS),
    cluster_role("system:kube-aggregator", rule(READ, "core", "endpoints services")),
    cluster_role("system:heapster", rule(READ, "core", "events namespaces nodes pods"), rule(READ, "extensions", "deployments")),
    cluster_role("system:kube-dns", rule("list watch", "core", "endpoints services")),
    cluster_role(
        "system:coredns",
        rule("list watch", "core", "endpoints namespaces pods services"), rule("list watch", "discovery.k8s.io", "endpointslices"),
    ),
    cluster_role("system:node", *NODE_POLICY),
    cluster_role(
        "system:node-proxier",
        rule("list watch", "core", "endpoints services"), rule(READ, "core", "nodes"), EVENTS,
        rule("list watch", "discovery.k8s.io", "endpointslices"), rule("list watch", "networking.k8s.io", "servicecidrs"),
    ),
    cluster_role("system:node-bootstrapper", rule(f"create {READ}", "certificates.k8s.io", "certificatesigningrequests")),
    cluster_role("system:node-problem-detector", rule("get", "core", "nodes"), rule("patch", "core", "nodes/status"), EVENTS),
    cluster_role("system:kubelet-api-admin", rule("*", "core", (
        "nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats"
    )), rule("get list proxy watch", "core", "nodes")),
    cluster_role(
        "system:persistent-volume-provisioner",
        rule("create delete get list watch", "core", "persistentvolumes"), rule("get list update watch", "core", "persistentvolumeclaims"),
        rule(READ, "storage.k8s.io", "storageclasses"), rule("watch", "core", "events"), EVENTS,
    ),
    cluster_role(
        "system:volume-scheduler",
        rule("get list patch update watch", "core", "persistentvolumes"), rule(READ, "storage.k8s.io", "storageclasses"),
        rule("get list patch update watch", "core", "persistentvolumeclaims"),
    ),
    cluster_role(
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        rule("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"),
    ),
    cluster_role(
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        rule("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"),
    ),
    *(
        cluster_role(f"system:certificates.k8s.io:{name}", rule("approve", "certificates.k8s.io", "signers", signer))
        for name, signer in SIGNERS.items()
    ),
    cluster_role(
        SCHEDULER,
        EVENTS, rule("create", "coordination.k8s.io", "leases"),
        rule("get list update watch", "coordination.k8s.io", "leases", "kube-scheduler"),
        rule(READ, "core", "nodes"), rule(f"delete {READ}", "core", "pods"), rule("create", "core", "bindings pods/binding"),
        rule("patch update", "core", "pods/status"), rule(READ, "core", "replicationcontrollers services"),
        rule(READ, "apps extensions", "replicasets"), rule(READ, "apps", "statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"), rule(READ, "core", "persistentvolumeclaims persistentvolumes"),
        *REVIEWS, rule(READ, "storage.k8s.io", "csinodes"), rule(READ, "core", "namespaces"),
        rule(READ, "storage.k8s.io", "csidrivers csistoragecapacities volumeattachments"),
        rule(f"{READ} patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"),
        rule(READ, "resource.k8s.io", "deviceclasses resourceslices"),
    ),
    cluster_role(
        CONTROLLER_MANAGER,
        EVENTS, rule("create", "coordination.k8s.io", "leases"),
        rule("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
        rule("create", "core", "secrets serviceaccounts"), rule("delete", "core", "secrets"),
        rule("get", "core", "configmaps namespaces secrets serviceaccounts"), rule("update", "core", "secrets serviceaccounts"),
        *REVIEWS, rule("list watch", "*", "*"), rule("create", "core", "serviceaccounts/token"),
    ),
    # Not of upstream's bootstrap policy: what the manifests of cloud providers grant.
    cluster_role(
        CLOUD,
        EVENTS, rule("create get list update watch", "coordination.k8s.io", "leases"),
        rule("delete get list patch update watch", "core", "nodes"), rule("patch update", "core", "nodes/status"),
        rule("get list patch update watch", "core", "services"), rule("patch update", "core", "services/status"),
        rule("create get list update watch", "core", "serviceaccounts"), rule("create get list update watch", "core", "endpoints"),
        rule(READ, "core", "pods"), rule("create", "core", "serviceaccounts/token"), *REVIEWS,
        # Whose an address is only the cloud knows, so it approves kubelets' serving certificates.
        rule(READ, "certificates.k8s.io", "certificatesigningrequests"),
        rule("update", "certificates.k8s.io", "certificatesigningrequests/approval"),
        rule("approve", "certificates.k8s.io", "signers", "kubernetes.io/kubelet-serving"),
    ),
)

COMPONENT_BINDINGS: Final[tuple[JsonObject, ...]] = (
    cluster_role_binding("cluster-admin", "cluster-admin", group("system:masters")),
    cluster_role_binding("kubeadm:cluster-admins", "cluster-admin", group("kubeadm:cluster-admins")),
    cluster_role_binding("system:monitoring", "system:monitoring", group("system:monitoring")),
    cluster_role_binding("system:discovery", "system:discovery", group("system:authenticated")),
    cluster_role_binding(
        "system:public-info-viewer", "system:public-info-viewer", group("system:authenticated"), group("system:unauthenticated")
    ),
    cluster_role_binding("system:basic-user", "system:basic-user", group("system:authenticated")),
    cluster_role_binding("system:node-proxier", "system:node-proxier", user("system:kube-proxy")),
    cluster_role_binding(CONTROLLER_MANAGER, CONTROLLER_MANAGER, user(CONTROLLER_MANAGER)),
    cluster_role_binding(SCHEDULER, SCHEDULER, user(SCHEDULER)),
    cluster_role_binding("system:volume-scheduler", "system:volume-scheduler", user(SCHEDULER)),
    cluster_role_binding(CLOUD, CLOUD, user(CLOUD)),
    cluster_role_binding("system:kube-dns", "system:kube-dns", service_account("kube-dns")),
    cluster_role_binding("system:coredns", "system:coredns", service_account("coredns")),
    cluster_role_binding(
        "system:service-account-issuer-discovery", "system:service-account-issuer-discovery", group("system:serviceaccounts")
    ),
    cluster_role_binding(
        "system:cluster-trust-bundle-discovery", "system:cluster-trust-bundle-discovery", group("system:serviceaccounts")
    ),
    # The Node authorizer alone decides for kubelets, so this binding names nobody (as upstream).
    cluster_role_binding("system:node", "system:node"),
)

_LOCKS: Final = rule("get list watch create update", "coordination.k8s.io", "leases")

NAMESPACE_ROLES: Final[tuple[JsonObject, ...]] = (
    role(
        "kube-system", "extension-apiserver-authentication-reader",
        rule(READ, "core", "configmaps", "extension-apiserver-authentication"),
    ),
    role("kube-system", "system:controller:bootstrap-signer", rule(READ, "core", "secrets")),
    role("kube-system", "system:controller:cloud-provider", rule(f"create {READ}", "core", "configmaps")),
    role("kube-system", "system:controller:token-cleaner", rule(f"delete {READ}", "core", "secrets"), EVENTS),
    role(
        "kube-system", "system::leader-locking-kube-controller-manager",
        rule("watch", "core", "configmaps"), rule("get update", "core", "configmaps", "kube-controller-manager"), _LOCKS,
    ),
    role(
        "kube-system", "system::leader-locking-kube-scheduler",
        rule("watch", "core", "configmaps"), rule("get update", "core", "configmaps", "kube-scheduler"), _LOCKS,
    ),
    role(
        "kube-public", "system:controller:bootstrap-signer",
        rule(READ, "core", "configmaps"), rule("update", "core", "configmaps", "cluster-info"), EVENTS,
    ),
)

NAMESPACE_BINDINGS: Final[tuple[JsonObject, ...]] = (
    role_binding(
        "kube-system", "system::extension-apiserver-authentication-reader", "extension-apiserver-authentication-reader",
        user(CONTROLLER_MANAGER), user(SCHEDULER), user(CLOUD),
    ),
    role_binding(
        "kube-system", "system::leader-locking-kube-controller-manager", "system::leader-locking-kube-controller-manager",
        user(CONTROLLER_MANAGER), service_account("kube-controller-manager"),
    ),
    role_binding(
        "kube-system", "system::leader-locking-kube-scheduler", "system::leader-locking-kube-scheduler",
        user(SCHEDULER), service_account("kube-scheduler"),
    ),
    *(
        role_binding("kube-system", f"system:controller:{name}", f"system:controller:{name}", service_account(name))
        for name in ("bootstrap-signer", "cloud-provider", "token-cleaner")
    ),
    role_binding(
        "kube-public", "system:controller:bootstrap-signer", "system:controller:bootstrap-signer", service_account("bootstrap-signer")
    ),
)
