"""A kubelet changes its own Node, its own Lease and the Pods bound to it, and asks for tokens of these alone.

The Node authorizer decides by names; here the contents of the objects are looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from control_plane.apiserver.admission.api_references import UnknownReference, api_reference_of
from control_plane.apiserver.admission.node_grants import NodeGrants
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.authentication.user import NODE_USER_PREFIX, node_name_of
from control_plane.apiserver.authorization.node_graph import MIRROR_ANNOTATION
from control_plane.certificate_requests import KUBE_APISERVER_CLIENT_KUBELET, KUBELET_SERVING, MalformedRequest, parse_request
from kube.apimachinery.errors import not_found
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource, ResourceType

RESTRICTED: Final = "node-restriction.kubernetes.io"
KUBELET_LABELS: Final = frozenset((
    "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region", "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
))
KUBELET_NAMESPACES: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")
NODE_LEASES: Final = "kube-node-lease"
CLAIM_STATUS: Final = ("capacity", "conditions", "allocatedResourceStatuses", "allocatedResources")

Check = Callable[["NodeRestriction", str, AdmissionRequest], Awaitable[None] | None]


def _row(plural: str) -> ResourceType:
    row = SCHEME.for_path("", "v1", plural)
    assert row is not None
    return row


class NodeRestriction:
    """Follows kube-apiserver's NodeRestriction."""

    name: ClassVar[str] = "NodeRestriction"

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._pods, self._nodes = _row("pods"), _row("nodes")
        self._grants = NodeGrants(context)

    def handles(self, operation: Operation) -> bool:
        return operation is not Operation.CONNECT

    async def admit(self, request: AdmissionRequest) -> None:
        node = node_name_of(request.user)
        if node is None:
            return
        if not node:
            raise request.forbidden(f'could not determine node from user "{request.user.name}"')
        if check := _CHECKS.get(request.resource.group_resource):
            waiting = check(self, node, request)
            if waiting is not None:
                await waiting

    def _check_pod(self, node: str, request: AdmissionRequest) -> None:
        match request.subresource, request.operation:
            case "", Operation.CREATE:
                self._check_mirror_pod(node, request)
            case "", Operation.DELETE:
                if _node_of(self._find_pod(request, request.name)) != node:
                    raise request.forbidden(f'node "{node}" can only delete pods with spec.nodeName set to itself')
            case "", operation:
                raise request.forbidden(f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods')
            case "status", Operation.UPDATE:
                self._check_pod_status(node, request)
            case "eviction", Operation.CREATE:
                if _node_of(self._find_pod(request, request.name or _name(request))) != node:
                    raise request.forbidden(f"node {node} can only evict pods with spec.nodeName set to itself")
            case ("status" | "eviction"), operation:
                raise request.forbidden(f'unexpected operation "{operation}"')
            case subresource, _:
                raise request.forbidden(f'unexpected pod subresource "{subresource}", only \'status\' and \'eviction\' are allowed')

    def _check_mirror_pod(self, node: str, request: AdmissionRequest) -> None:
        pod = request.obj or {}
        metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
        if MIRROR_ANNOTATION not in (metadata.get("annotations") or {}):
            raise request.forbidden(f'pod does not have "{MIRROR_ANNOTATION}" annotation, node "{node}" can only create mirror pods')
        if spec.get("nodeName") != node:
            raise request.forbidden(f'node "{node}" can only create pods with spec.nodeName set to itself')
        self._check_owner(node, request, metadata.get("ownerReferences") or [])
        try:
            referred = api_reference_of(spec)
        except UnknownReference as error:
            raise request.forbidden(f"error checking mirror pod for API references: {error}") from error
        if referred:
            raise request.forbidden(f'node "{node}" can not create pods that reference {referred}')

    def _check_owner(self, node: str, request: AdmissionRequest, owners: list[JsonObject]) -> None:
        if len(owners) > 1:
            raise request.forbidden(f'node "{node}" can only create pods with a single owner reference set to itself')
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            raise request.forbidden(f'node "{node}" can only create pods with an owner reference set to itself')
        if not owner.get("controller"):
            raise request.forbidden(f'node "{node}" can only create pods with a controller owner reference set to itself')
        if owner.get("blockOwnerDeletion"):
            raise request.forbidden(f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        held = self._cache.get(self._nodes, NamespacedName("", node))
        if held is None:
            raise not_found(self._nodes.group_resource, node)
        if (uid := held.obj["metadata"].get("uid")) != owner.get("uid"):
            raise request.forbidden(f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}")

    def _check_pod_status(self, node: str, request: AdmissionRequest) -> None:
        old, new = request.old or {}, request.obj or {}
        if _node_of(old) != node:
            raise request.forbidden(f'node "{node}" can only update pod status for pods with spec.nodeName set to itself')  # noqa: S608
        if _labels(old) != _labels(new):
            raise request.forbidden(f'node "{node}" cannot update labels through pod status')
        if _claim_statuses(old) != _claim_statuses(new):
            raise request.forbidden(f'node "{node}" cannot update resource claim statues')
        for key, words in (("extendedResourceClaimStatus", "extended resource claim status"),
                           ("nodeAllocatableResourceClaimStatuses", "node allocatable resource claim statuses")):
            if ((old.get("status") or {}).get(key) or None) != ((new.get("status") or {}).get(key) or None):
                raise request.forbidden(f'node "{node}" cannot update {words}')

    def _check_node(self, node: str, request: AdmissionRequest) -> None:
        requested = request.name or _name(request)
        if requested != node:
            raise request.forbidden(f'node "{node}" is not allowed to modify node "{requested}"')
        source = ((request.obj or {}).get("spec") or {}).get("configSource")
        if request.operation is Operation.CREATE:
            if source is not None:
                raise request.forbidden(f'node "{node}" is not allowed to create pods with a non-nil configSource')
            if labels := _forbidden_labels(_labels(request.obj or {}), {}):
                raise request.forbidden(f'node "{node}" is not allowed to set the following labels: {", ".join(labels)}')
        elif request.operation is Operation.UPDATE:
            old, new = request.old or {}, request.obj or {}
            if source is not None and source != (old.get("spec") or {}).get("configSource"):
                raise request.forbidden(f'node "{node}" is not allowed to update configSource to a new non-nil configSource')
            if ((old.get("spec") or {}).get("taints") or []) != ((new.get("spec") or {}).get("taints") or []):
                raise request.forbidden(f'node "{node}" is not allowed to modify taints')
            # It could have itself deleted by the garbage collector, and come back with other taints and labels.
            if _owners(old) != _owners(new):
                raise request.forbidden(f'node "{node}" is not allowed to modify ownerReferences')
            if labels := _forbidden_labels(_labels(new), _labels(old)):
                raise request.forbidden(f"is not allowed to modify labels: {', '.join(labels)}")

    def _check_claim(self, node: str, request: AdmissionRequest) -> None:
        if request.subresource != "status":
            raise request.forbidden("may only update PVC status")
        if request.operation is not Operation.UPDATE:
            raise request.forbidden(f'unexpected operation "{request.operation}"')
        if _but_growth(request.old or {}) != _but_growth(request.obj or {}):
            raise request.forbidden(f'node "{node}" is not allowed to update fields other than status.capacity and status.conditions')

    async def _check_token(self, node: str, request: AdmissionRequest) -> None:
        if request.operation is not Operation.CREATE or request.subresource != "token":
            return
        ref = ((request.obj or {}).get("spec") or {}).get("boundObjectRef") or {}
        if ref.get("apiVersion") != "v1" or ref.get("kind") != "Pod" or not ref.get("name"):
            raise request.forbidden("node requested token not bound to a pod")
        if not ref.get("uid"):
            raise request.forbidden("node requested token with a pod binding without a uid")
        pod = self._find_pod(request, ref["name"])
        if pod["metadata"].get("uid") != ref["uid"]:
            raise request.forbidden(
                f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
        if _node_of(pod) != node:
            raise request.forbidden("node requested token bound to a pod scheduled on a different node")
        await self._grants.check_audience(request, pod)

    def _check_lease(self, node: str, request: AdmissionRequest) -> None:
        if request.namespace != NODE_LEASES:
            raise request.forbidden(f'can only access leases in the "{NODE_LEASES}" system namespace')
        if (request.name or _name(request)) != node:
            raise request.forbidden("can only access node lease with the same name as the requesting node")

    def _check_csi_node(self, node: str, request: AdmissionRequest) -> None:
        if (request.name or _name(request)) != node:
            raise request.forbidden("can only access CSINode with the same name as the requesting node")

    def _check_resource_slice(self, node: str, request: AdmissionRequest) -> None:
        if request.operation is Operation.UPDATE:      # the Node authorizer's business
            return
        slice_, does = (request.old, "delete") if request.operation is Operation.DELETE else (request.obj, "create")
        if ((slice_ or {}).get("spec") or {}).get("nodeName") != node:
            raise request.forbidden(f"can only {does} ResourceSlice with the same NodeName as the requesting node")

    async def _check_pod_certificate(self, node: str, request: AdmissionRequest) -> None:
        await self._grants.check_certificate(node, request)

    def _check_certificate_request(self, node: str, request: AdmissionRequest) -> None:
        if request.operation is not Operation.CREATE:
            return
        spec = (request.obj or {}).get("spec") or {}
        if spec.get("signerName") not in (KUBELET_SERVING, KUBE_APISERVER_CLIENT_KUBELET):
            return
        try:
            asked = parse_request(spec.get("request") or "")
        except MalformedRequest as error:
            raise request.forbidden(f"unable to parse csr: {error}") from error
        if asked.common_name != NODE_USER_PREFIX + node:
            raise request.forbidden(f"can only create a node CSR with CN={NODE_USER_PREFIX}{node}")

    def _find_pod(self, request: AdmissionRequest, name: str) -> JsonObject:
        held = self._cache.get(self._pods, NamespacedName(request.namespace, name))
        if held is None:
            raise not_found(self._pods.group_resource, name)
        return held.obj


def _name(request: AdmissionRequest) -> str:
    return str(((request.obj or {}).get("metadata") or {}).get("name", ""))


def _node_of(pod: JsonObject) -> str:
    return str((pod.get("spec") or {}).get("nodeName", ""))


def _labels(obj: JsonObject) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}


def _owners(obj: JsonObject) -> list[JsonObject]:
    return (obj.get("metadata") or {}).get("ownerReferences") or []


def _claim_statuses(pod: JsonObject) -> list[tuple[str, str | None]]:
    statuses = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    return [(status.get("name", ""), status.get("resourceClaimName")) for status in statuses]


def _but_growth(claim: JsonObject) -> JsonObject:
    metadata = {key: value for key, value in (claim.get("metadata") or {}).items() if key not in ("resourceVersion", "managedFields")}
    status = {key: value for key, value in (claim.get("status") or {}).items() if key not in CLAIM_STATUS}
    return claim | {"metadata": metadata, "status": status}


def _forbidden_labels(new: dict[str, str], old: dict[str, str]) -> list[str]:
    changed = {key for key in new.keys() | old.keys() if new.get(key) != old.get(key)}
    return sorted(key for key in changed if not _is_allowed_label(key))


def _is_allowed_label(key: str) -> bool:
    namespace = key.rpartition("/")[0]
    if _is_within(namespace, RESTRICTED):
        return False
    if not (_is_within(namespace, "kubernetes.io") or _is_within(namespace, "k8s.io")):
        return True
    return key in KUBELET_LABELS or any(_is_within(namespace, allowed) for allowed in KUBELET_NAMESPACES)


def _is_within(namespace: str, suffix: str) -> bool:
    return namespace == suffix or namespace.endswith("." + suffix)


_CHECKS: Final[dict[GroupResource, Check]] = {
    GroupResource("", "pods"): NodeRestriction._check_pod,
    GroupResource("", "nodes"): NodeRestriction._check_node,
    GroupResource("", "persistentvolumeclaims"): NodeRestriction._check_claim,
    GroupResource("", "serviceaccounts"): NodeRestriction._check_token,
    GroupResource("coordination.k8s.io", "leases"): NodeRestriction._check_lease,
    GroupResource("storage.k8s.io", "csinodes"): NodeRestriction._check_csi_node,
    GroupResource("certificates.k8s.io", "podcertificaterequests"): NodeRestriction._check_pod_certificate,
    GroupResource("certificates.k8s.io", "certificatesigningrequests"): NodeRestriction._check_certificate_request,
    GroupResource("resource.k8s.io", "resourceslices"): NodeRestriction._check_resource_slice,
}
