"""What a kubelet may ask for in the name of its Pods: tokens for the audiences, and certificates of the signers, that the Pods mount.

For others it needs a right: request-serviceaccounts-token-audience on the audience, request-serviceaccounts-podcertificate-signer on
the signer. Follows kube-apiserver's NodeRestriction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from control_plane.apiserver.admission.lookup import row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.node_graph import MIRROR_ANNOTATION
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import ResourceType


class NodeGrants:
    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._authorizer = context.authorizer
        self._nodes, self._pods, self._accounts = row_of("", "nodes"), row_of("", "pods"), row_of("", "serviceaccounts")
        self._claims, self._volumes = row_of("", "persistentvolumeclaims"), row_of("", "persistentvolumes")
        self._drivers = row_of("storage.k8s.io", "csidrivers")

    async def check_audience(self, request: AdmissionRequest, pod: JsonObject) -> None:
        """Of a TokenRequest that is bound to the Pod."""
        audiences = ((request.obj or {}).get("spec") or {}).get("audiences") or []
        if len(audiences) > 1:
            raise request.forbidden("node may only request 0 or 1 audiences")
        audience = audiences[0] if audiences else ""
        if any(audience == mounted for mounted in self._audiences_of(pod)):
            return
        if not await self._may(request, "request-serviceaccounts-token-audience", audience, request.name):
            raise request.forbidden(f'{request.user.name} is not authorized to request tokens for audience "{audience}"')

    def _audiences_of(self, pod: JsonObject) -> Iterator[str]:
        for volume in (pod.get("spec") or {}).get("volumes") or ():
            for source in (volume.get("projected") or {}).get("sources") or ():
                if (token := source.get("serviceAccountToken")) is not None:
                    yield token.get("audience") or ""
            if driver := self._held(self._drivers, self._driver_of(pod, volume)):
                yield from (one.get("audience") or "" for one in (driver.get("spec") or {}).get("tokenRequests") or ())

    def _driver_of(self, pod: JsonObject, volume: JsonObject) -> str:
        """The CSI driver behind a volume, perhaps through its claim."""
        if volume.get("ephemeral") is not None:
            claim = f"{pod['metadata']['name']}-{volume.get('name', '')}"
        elif volume.get("persistentVolumeClaim") is not None:
            claim = volume["persistentVolumeClaim"].get("claimName") or ""
        else:
            return (volume.get("csi") or {}).get("driver") or ""
        held = self._held(self._claims, claim, pod["metadata"].get("namespace", ""))
        bound = self._held(self._volumes, ((held or {}).get("spec") or {}).get("volumeName") or "")
        return (((bound or {}).get("spec") or {}).get("csi") or {}).get("driver") or ""

    async def check_certificate(self, node: str, request: AdmissionRequest) -> None:
        """Of a PodCertificateRequest."""
        if request.operation is not Operation.CREATE:
            raise request.forbidden(f"unexpected operation {request.operation}")
        if request.subresource:
            raise request.forbidden(f"unexpected subresource {request.subresource}")
        spec = (request.obj or {}).get("spec") or {}
        asked = f"{request.namespace}/{spec.get('podName', '')}"
        pod = self._checked_pod(node, request, spec, asked)
        account = f"{request.namespace}/{spec.get('serviceAccountName', '')}"
        held = self._held(self._accounts, spec.get("serviceAccountName") or "", request.namespace)
        if held is None:
            raise _lagging(f'while retrieving service account "{account}" named in the PodCertificateRequest: '
                           f'serviceaccount "{spec.get("serviceAccountName", "")}" not found')
        if spec.get("serviceAccountUID") != (uid := held["metadata"].get("uid")):
            raise _lagging(f'PodCertificateRequest for pod "{asked}" names service account UID "{spec.get("serviceAccountUID", "")}", '
                           f'which differs from the running service account ("{uid}")')
        signer = spec.get("signerName") or ""
        if signer in _signers_of(pod):
            return
        if not await self._may(request, "request-serviceaccounts-podcertificate-signer", signer.replace("/", ":"),
                               spec.get("serviceAccountName") or ""):
            raise request.forbidden(f'pod "{asked}" does not mount a podCertificate projected volume for signer "{signer}"')

    def _checked_pod(self, node: str, request: AdmissionRequest, spec: dict[str, Any], asked: str) -> JsonObject:
        named = spec.get("nodeName") or ""
        if named != node:
            raise request.forbidden(f'PodCertificateRequest.Spec.NodeName="{named}", which is not the requesting node "{node}"')
        own = self._held(self._nodes, named)
        if own is None:
            raise _lagging(f'while retrieving node "{named}" named in the PodCertificateRequest: node "{named}" not found')
        if own["metadata"].get("uid") != spec.get("nodeUID"):
            raise _lagging(f'PodCertificateRequest for pod "{asked}" names node UID "{spec.get("nodeUID", "")}", inconsistent with the '
                           f'running node ("{own["metadata"].get("uid", "")}")')
        pod = self._held(self._pods, spec.get("podName") or "", request.namespace)
        if pod is None:
            raise _lagging(f'while retrieving pod "{asked}" named in the PodCertificateRequest: pod "{spec.get("podName", "")}" not found')
        if pod["metadata"].get("uid") != spec.get("podUID"):
            raise _lagging(f'PodCertificateRequest for pod "{asked}" contains pod UID ("{spec.get("podUID", "")}") which differs from '
                           f'running pod "{pod["metadata"].get("uid", "")}"')
        held = pod.get("spec") or {}
        if held.get("nodeName") != named:
            raise request.forbidden(f'pod "{asked}" is not running on node "{named}" named in the PodCertificateRequest')
        if MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {}):
            raise request.forbidden(f'pod "{asked}" is a mirror pod')
        if (account := held.get("serviceAccountName") or "") != spec.get("serviceAccountName"):
            raise request.forbidden(f'PodCertificateRequest for pod "{asked}" contains serviceAccountName '
                                    f'("{spec.get("serviceAccountName", "")}") that differs from running pod ("{account}")')
        return pod

    async def _may(self, request: AdmissionRequest, verb: str, resource: str, name: str) -> bool:
        """`resource` is what is asked for, an audience or a signer; `name` the service account."""
        return (await self._authorizer.decide(Attributes(
            user=request.user, verb=verb, group=request.resource.group, version=request.resource.version, resource=resource,
            namespace=request.namespace, name=name,
        ))).allowed

    def _held(self, row: ResourceType, name: str, namespace: str = "") -> JsonObject | None:
        held = self._cache.get(row, NamespacedName(namespace, name)) if name else None
        return None if held is None else held.obj


def _signers_of(pod: JsonObject) -> set[str]:
    return {
        certificate.get("signerName") or "" for volume in (pod.get("spec") or {}).get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or () if (certificate := source.get("podCertificate")) is not None
    }


def _lagging(why: str) -> ApiError:
    """No refusal: the cache may be behind, and the kubelet is to try again."""
    return ApiError(why)
