"""Who sets owners of an object must be allowed to delete it; who makes an owner wait for it, to change the owner's finalizers."""

from __future__ import annotations

from typing import Any, ClassVar

from control_plane.apiserver.admission.lookup import PODS
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.authorization.attributes import Attributes
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersionKind

Reference = dict[str, Any]


class OwnerReferencesPermissionEnforcement:
    """Follows kube-apiserver's OwnerReferencesPermissionEnforcement."""

    name: ClassVar[str] = "OwnerReferencesPermissionEnforcement"

    def __init__(self, context: AdmissionContext) -> None:
        self._authorizer = context.authorizer
        self._scheme = context.scheme

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.resource.group_resource == PODS and request.subresource == "status":
            return
        owners, before = _owners(request.obj), _owners(request.old)
        if owners == before:
            return
        if request.operation is not Operation.CREATE:
            await self._must(request, self._delete(request), "cannot set an ownerRef on a resource you can't delete")
        blocked_before = {one.get("uid") for one in before if one.get("blockOwnerDeletion")}
        blocking = [one for one in owners if one.get("blockOwnerDeletion") and one.get("uid") not in blocked_before]
        if not blocking or (await self._authorizer.decide(_finalizers(request, "*", "*", "*", "*"))).allowed:
            return
        for owner in blocking:
            await self._must(
                request, self._finalizers_of(request, owner),
                "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on",
            )

    async def _must(self, request: AdmissionRequest, asked: Attributes, words: str) -> None:
        decision = await self._authorizer.decide(asked)
        if not decision.allowed:
            raise request.forbidden(f"{words}: {decision.reason}, {decision.error or '<nil>'}")

    def _delete(self, request: AdmissionRequest) -> Attributes:
        resource = request.resource
        return Attributes(
            user=request.user, verb="delete", group=resource.group, version=resource.version, resource=resource.plural,
            subresource=request.subresource, namespace=request.namespace, name=request.name,
        )

    def _finalizers_of(self, request: AdmissionRequest, owner: Reference) -> Attributes:
        api_version, kind = owner.get("apiVersion") or "", owner.get("kind") or ""
        row = self._scheme.for_kind(GroupVersionKind.of(api_version, kind))
        if row is None:
            raise request.forbidden(
                f"cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion {api_version} Kind {kind}: "
                f'no matches for kind "{kind}" in version "{api_version}"'
            )
        namespace = request.namespace if row.namespaced else ""
        return _finalizers(request, row.group, row.version, row.plural, owner.get("name") or "", namespace)


def _owners(obj: JsonObject | None) -> list[Reference]:
    return ((obj or {}).get("metadata") or {}).get("ownerReferences") or []


def _finalizers(request: AdmissionRequest, group: str, version: str, plural: str, name: str, namespace: str = "") -> Attributes:
    return Attributes(
        user=request.user, verb="update", group=group, version=version, resource=plural, subresource="finalizers", name=name,
        namespace=namespace,
    )
