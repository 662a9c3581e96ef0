"""How the default policy is written down in this package.

    rule("get list watch", "core", "pods services")             groups: "core" is the group without a name
    rule("get update", "coordination.k8s.io", "leases", "kube-scheduler")      the last: names of objects
    urls("get", "/healthz /version")
"""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.authorization.rbac_index import RBAC_GROUP
from kube.apimachinery.meta import JsonObject

READ: Final = "get list watch"
WRITE: Final = "create delete deletecollection patch update"
AUTOUPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"
_LABELS: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}

PolicyRule = dict[str, Any]


def rule(verbs: str, groups: str, resources: str, names: str = "") -> PolicyRule:
    written: PolicyRule = {
        "verbs": sorted(verbs.split()),
        "apiGroups": sorted("" if group == "core" else group for group in groups.split()),
        "resources": sorted(resources.split()),
    }
    if names:
        written["resourceNames"] = sorted(names.split())
    return written


def urls(verbs: str, paths: str) -> PolicyRule:
    return {"verbs": sorted(verbs.split()), "nonResourceURLs": sorted(paths.split())}


EVENTS: Final = rule("create patch update", "core events.k8s.io", "events")


def cluster_role(name: str, *rules: PolicyRule, aggregates_to: str = "", aggregates: str = "") -> JsonObject:
    """`aggregates_to="view"` labels the role so that `aggregates="view"` takes its rules in."""
    labels = dict(_LABELS)
    if aggregates_to:
        labels[f"rbac.authorization.k8s.io/aggregate-to-{aggregates_to}"] = "true"
    role = _object("ClusterRole", name, labels)
    if aggregates:
        chosen = {"matchLabels": {f"rbac.authorization.k8s.io/aggregate-to-{aggregates}": "true"}}
        role["aggregationRule"] = {"clusterRoleSelectors": [chosen]}
    role["rules"] = list(rules)
    return role


def role(namespace: str, name: str, *rules: PolicyRule) -> JsonObject:
    return _object("Role", name, dict(_LABELS), namespace) | {"rules": list(rules)}


def cluster_role_binding(name: str, role_name: str, *subjects: JsonObject) -> JsonObject:
    return _object("ClusterRoleBinding", name, dict(_LABELS)) | {
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role_name}, "subjects": list(subjects),
    }


def role_binding(namespace: str, name: str, role_name: str, *subjects: JsonObject) -> JsonObject:
    return _object("RoleBinding", name, dict(_LABELS), namespace) | {
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "Role", "name": role_name}, "subjects": list(subjects),
    }


def user(name: str) -> JsonObject:
    return {"apiGroup": RBAC_GROUP, "kind": "User", "name": name}


def group(name: str) -> JsonObject:
    return {"apiGroup": RBAC_GROUP, "kind": "Group", "name": name}


def service_account(name: str, namespace: str = "kube-system") -> JsonObject:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _object(kind: str, name: str, labels: dict[str, str], namespace: str = "") -> JsonObject:
    metadata: JsonObject = {"name": name, "labels": labels, "annotations": {AUTOUPDATE: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{RBAC_GROUP}/v1", "kind": kind, "metadata": metadata}
