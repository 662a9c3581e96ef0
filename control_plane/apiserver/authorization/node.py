"""What a kubelet may do: to its own objects, and to what its Pods need. Follows upstream's NodeAuthorizer (1.32 and later).

What depends on an object's content (a kubelet creates only its own Node, changes only its own Pods) is NodeRestriction's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from control_plane.apiserver.authentication.user import node_name_of
from control_plane.apiserver.authorization.attributes import Attributes, Decision
from control_plane.apiserver.authorization.default_node_rules import NODE_RULES
from control_plane.apiserver.authorization.node_graph import NodeGraph

NO_OPINION: Final = Decision(allowed=False)
ALLOWED: Final = Decision(allowed=True)
READ: Final = ("get", "list", "watch")
OWN: Final = ("get", "create", "update", "patch", "delete")
NODE_LEASES: Final = "kube-node-lease"

Check = Callable[["NodeAuthorizer", str, Attributes], Decision]


class NodeAuthorizer:
    def __init__(self, graph: NodeGraph) -> None:
        self._graph = graph

    def authorize(self, attributes: Attributes) -> Decision:
        node = node_name_of(attributes.user)
        if node is None:
            return NO_OPINION
        if not node:
            return _no(f'unknown node for user "{attributes.user.name}"')
        if attributes.is_resource and (check := _CHECKS.get((attributes.group, attributes.resource))):
            return check(self, node, attributes)
        return ALLOWED if any(rule.allows(attributes) for rule in NODE_RULES) else NO_OPINION

    def _related(self, node: str, attributes: Attributes) -> Decision:
        name = _name(attributes)
        if not name:
            return _no("No Object name found")
        if self._graph.is_related(node, attributes.resource, attributes.namespace, name):
            return ALLOWED
        return _no(f"no relationship found between node '{node}' and this object")

    def _get(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb != "get":
            return _no("can only get individual resources of this type")
        if attributes.subresource:
            return _no("cannot get subresource")
        return self._related(node, attributes)

    def _read(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb not in READ:
            return _no("can only read resources of this type")
        if attributes.subresource:
            return _no("cannot read subresource")
        if not attributes.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, attributes)

    def _claim(self, node: str, attributes: Attributes) -> Decision:
        if attributes.subresource != "status":
            return self._get(node, attributes)
        if attributes.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related(node, attributes)

    def _account(self, node: str, attributes: Attributes) -> Decision:
        """Their tokens; and, for PodCertificateRequests, their uids."""
        if attributes.verb == "get" and not attributes.subresource:
            return self._read(node, attributes)
        if attributes.verb != "create" or not attributes.name:
            return _no("can only create tokens for individual service accounts")
        if attributes.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related(node, attributes)

    def _lease(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb not in OWN:
            return _no("can only get, create, update, patch, or delete a node lease")
        if attributes.namespace != NODE_LEASES:
            return _no(f'can only access leases in the "{NODE_LEASES}" system namespace')
        if attributes.verb != "create" and attributes.name != node:
            return _no("can only access node lease with the same name as the requesting node")
        return ALLOWED

    def _csi_node(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb not in OWN:
            return _no("can only get, create, update, patch, or delete a CSINode")
        if attributes.subresource:
            return _no("cannot authorize CSINode subresources")
        if attributes.verb != "create" and attributes.name != node:
            return _no("can only access CSINode with the same name as the requesting node")
        return ALLOWED

    def _node(self, node: str, attributes: Attributes) -> Decision:
        writes = attributes.verb in ("update", "patch")
        if attributes.subresource == "status":
            return ALLOWED if writes else NO_OPINION
        if attributes.subresource:
            return NO_OPINION
        if writes or attributes.verb == "create":
            return ALLOWED
        if attributes.verb in READ:
            name = _name(attributes)
            if name == node:
                return ALLOWED
            if not name:
                return _no(f"node '{node}' cannot read all nodes, only its own Node object")
            return _no(f"node '{node}' cannot read '{name}', only its own Node object")
        return NO_OPINION

    def _pod(self, node: str, attributes: Attributes) -> Decision:
        verb = attributes.verb
        if attributes.subresource == "status":
            return ALLOWED if verb in ("update", "patch") else NO_OPINION
        if attributes.subresource == "eviction":
            return ALLOWED if verb == "create" else NO_OPINION
        if attributes.subresource:
            return NO_OPINION
        if verb == "get":
            return self._get(node, attributes)
        if verb in ("list", "watch"):
            if attributes.field_selector and attributes.field_selector.required_value("spec.nodeName") == node:
                return ALLOWED
            if _name(attributes):
                return self._related(node, attributes)
            return _no("can only list/watch pods with spec.nodeName field selector")
        return ALLOWED if verb in ("create", "delete") else NO_OPINION

    def _resource_slice(self, node: str, attributes: Attributes) -> Decision:
        if attributes.subresource:
            return _no("cannot authorize ResourceSlice subresources")
        if attributes.verb == "create":
            return ALLOWED
        selector = attributes.field_selector
        if attributes.verb in ("watch", "list", "deletecollection"):
            if selector and selector.required_value("spec.nodeName") == node:
                return ALLOWED
            return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")
        return self._related(node, attributes)

    def _pod_certificate(self, node: str, attributes: Attributes) -> Decision:
        if attributes.subresource:
            return _no("nodes may not access the status subresource of PodCertificateRequests")
        if attributes.verb == "create":      # for which Pods: admission's NodeRestriction
            return ALLOWED
        if attributes.verb == "get":
            return self._related(node, attributes)
        if attributes.verb in ("list", "watch"):
            if attributes.field_selector and attributes.field_selector.required_value("spec.nodeName") == node:
                return ALLOWED
            return _no("can only list/watch podcertificaterequests with nodeName field selector")
        return _no(f"nodes may not {attributes.verb} podcertificaterequests")


def _name(attributes: Attributes) -> str:
    """A list or watch of one object names it in its field selector."""
    if attributes.name or attributes.field_selector is None:
        return attributes.name
    return attributes.field_selector.required_value("metadata.name") or ""


def _no(reason: str) -> Decision:
    return Decision(allowed=False, reason=reason)


_CHECKS: Final[dict[tuple[str, str], Check]] = {
    ("", "secrets"): NodeAuthorizer._read,
    ("", "configmaps"): NodeAuthorizer._read,
    ("", "persistentvolumeclaims"): NodeAuthorizer._claim,
    ("", "persistentvolumes"): NodeAuthorizer._get,
    ("resource.k8s.io", "resourceclaims"): NodeAuthorizer._get,
    ("resource.k8s.io", "resourceslices"): NodeAuthorizer._resource_slice,
    ("certificates.k8s.io", "podcertificaterequests"): NodeAuthorizer._pod_certificate,
    ("storage.k8s.io", "volumeattachments"): NodeAuthorizer._get,
    ("", "serviceaccounts"): NodeAuthorizer._account,
    ("coordination.k8s.io", "leases"): NodeAuthorizer._lease,
    ("storage.k8s.io", "csinodes"): NodeAuthorizer._csi_node,
    ("", "nodes"): NodeAuthorizer._node,
    ("", "pods"): NodeAuthorizer._pod,
}
