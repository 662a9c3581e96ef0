"""What every kubelet may do alike; what differs by node is decided in node.py. Facts of upstream's bootstrap policy."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.authorization.policy_notation import READ, PolicyRule, rule
from control_plane.apiserver.authorization.rules import Rule

NODE_POLICY: Final[tuple[PolicyRule, ...]] = (
    rule("create", "authentication.k8s.io", "tokenreviews"),
    rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
    rule(READ, "core", "services"),
    rule(f"create {READ}", "core", "nodes"),
    rule("patch update", "core", "nodes/status"),
    rule("patch update", "core", "nodes"),
    rule("create patch update", "core events.k8s.io", "events"),
    rule(READ, "core", "pods"),
    rule("create delete", "core", "pods"),
    rule("patch update", "core", "pods/status"),
    rule("create", "core", "pods/eviction"),
    rule(READ, "core", "configmaps secrets"),
    rule("get", "core", "persistentvolumeclaims persistentvolumes"),
    rule("get", "core", "endpoints"),
    rule(f"create {READ}", "certificates.k8s.io", "certificatesigningrequests"),
    rule("create delete get patch update", "coordination.k8s.io", "leases"),
    rule("get", "storage.k8s.io", "volumeattachments"),
    rule("create", "core", "serviceaccounts/token"),
    rule("get patch update", "core", "persistentvolumeclaims/status"),
    rule(READ, "storage.k8s.io", "csidrivers"),
    rule("create delete get patch update", "storage.k8s.io", "csinodes"),
    rule(READ, "node.k8s.io", "runtimeclasses"),
    rule("get", "resource.k8s.io", "resourceclaims"),
    rule("create delete deletecollection get list patch update watch", "resource.k8s.io", "resourceslices"),
    rule(READ, "certificates.k8s.io", "clustertrustbundles"),
    rule("get", "core", "serviceaccounts"),
    rule(f"create {READ}", "certificates.k8s.io", "podcertificaterequests"),
)

NODE_RULES: Final = tuple(Rule.of(policy_rule) for policy_rule in NODE_POLICY)
