"""Who writes a bundle of trust anchors for a signer needs the verb `attest` for it."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.signer_rights import may_for_signer, signer_of
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

BUNDLES: Final = GroupResource("certificates.k8s.io", "clustertrustbundles")
_FOR_COLLECTORS: Final = frozenset({"ownerReferences", "finalizers", "managedFields"})


class ClusterTrustBundleAttest:
    """Follows kube-apiserver's ClusterTrustBundleAttest."""

    name: ClassVar[str] = "ClusterTrustBundleAttest"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({BUNDLES})

    def __init__(self, context: AdmissionContext) -> None:
        self._authorizer = context.authorizer

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        signer = signer_of(request.obj)
        if not signer or (request.operation is Operation.UPDATE and _compared(request.obj) == _compared(request.old)):
            return
        if not await may_for_signer(self._authorizer, request.user, "attest", signer):
            raise request.forbidden(f'user not permitted to attest for signerName "{signer}"')


def _compared(bundle: JsonObject | None) -> JsonObject:
    """Without what garbage collection changes."""
    metadata = (bundle or {}).get("metadata") or {}
    return {**(bundle or {}), "metadata": {key: value for key, value in metadata.items() if key not in _FOR_COLLECTORS}}
