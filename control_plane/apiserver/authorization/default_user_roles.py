"""The roles for people: admin, edit, view, and the parts they are put together from. Facts of upstream's bootstrap policy."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.authorization.policy_notation import READ, WRITE, cluster_role, rule, urls
from kube.apimachinery.meta import JsonObject

AGGREGATE_TO_ADMIN: Final = cluster_role(
    "system:aggregate-to-admin",
    rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    rule(f"{READ} {WRITE}", "rbac.authorization.k8s.io", "rolebindings roles"),
    aggregates_to="admin",
)

AGGREGATE_TO_EDIT: Final = cluster_role(
    "system:aggregate-to-edit",
    rule(READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    rule("impersonate", "core", "serviceaccounts"),
    rule(WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    rule("create", "core", "pods/eviction"),
    rule(WRITE, "core", (
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts "
        "services services/proxy"
    )),
    rule("create", "core", "serviceaccounts/token"),
    rule(WRITE, "apps", (
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale"
    )),
    rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
    rule(WRITE, "batch", "cronjobs jobs"),
    rule(WRITE, "extensions", (
        "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale "
        "replicationcontrollers/scale"
    )),
    rule(WRITE, "policy", "poddisruptionbudgets"),
    rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    rule(f"{READ} {WRITE}", "coordination.k8s.io", "leases"),
    rule(WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
    aggregates_to="edit",
)

AGGREGATE_TO_VIEW: Final = cluster_role(
    "system:aggregate-to-view",
    rule(READ, "core", (
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services services/status"
    )),
    rule(READ, "core", (
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas "
        "resourcequotas/status"
    )),
    rule(READ, "core", "namespaces"),
    rule(READ, "discovery.k8s.io", "endpointslices"),
    rule(READ, "apps", (
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets "
        "replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status"
    )),
    rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    rule(READ, "extensions", (
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies "
        "replicasets replicasets/scale replicasets/status replicationcontrollers/scale"
    )),
    rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    rule(READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
    aggregates_to="view",
)

USER_ROLES: Final[tuple[JsonObject, ...]] = (
    cluster_role("cluster-admin", rule("*", "*", "*"), urls("*", "*")),
    cluster_role("admin", aggregates="admin"),
    cluster_role("edit", aggregates="edit", aggregates_to="admin"),
    cluster_role("view", aggregates="view", aggregates_to="edit"),
    AGGREGATE_TO_ADMIN, AGGREGATE_TO_EDIT, AGGREGATE_TO_VIEW,
    cluster_role(
        "system:discovery",
        urls("get", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
    ),
    cluster_role("system:public-info-viewer", urls("get", "/healthz /livez /readyz /version /version/")),
    cluster_role(
        "system:basic-user",
        rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    ),
    cluster_role(
        "system:monitoring",
        urls("get", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
    ),
    cluster_role(
        "system:service-account-issuer-discovery",
        urls("get", "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"),
    ),
    cluster_role("system:cluster-trust-bundle-discovery", rule(READ, "certificates.k8s.io", "clustertrustbundles")),
)
