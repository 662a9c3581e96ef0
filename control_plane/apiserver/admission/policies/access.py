"""Who writes a policy or binding must be able to read its parameters: messages could show them. Follows upstream's authz.go."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.authentication.user import MASTERS_GROUP, UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from kube.apimachinery.errors import invalid
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import GroupVersionKind
from kube.apimachinery.validation import forbidden

_POLICY_OF: Final = {
    "validatingadmissionpolicybindings": "validatingadmissionpolicies", "mutatingadmissionpolicybindings": "mutatingadmissionpolicies",
}


def check_param_access(context: AdmissionContext, request: AdmissionRequest) -> None:
    """No-op for other kinds. Raises Invalid."""
    plural, obj = request.resource.plural, request.obj
    if obj is None or request.subresource or request.operation not in (Operation.CREATE, Operation.UPDATE) or "polic" not in plural:
        return
    if MASTERS_GROUP in request.user.groups:
        return
    spec, held = obj.get("spec") or {}, (request.old or {}).get("spec") or {}
    if plural in _POLICY_OF:
        if (ref := spec.get("paramRef")) is None or (ref == held.get("paramRef") and spec.get("policyName") == held.get("policyName")):
            return
        kind = _kind_of_policy(context, plural, spec.get("policyName") or "")
        if not _may_get(context, request.user, kind, ref.get("namespace") or "", ref.get("name") or ""):
            why = f'user {_shown(request.user)} does not have "get" permission on the object referenced by paramRef'
            raise invalid(request.resource.gvk, request.name, [forbidden("spec.paramRef", why)])
    else:
        if (kind := spec.get("paramKind")) is None or kind == held.get("paramKind"):
            return
        if not _may_get(context, request.user, kind, "*", "*"):
            what = f"(kind={kind.get('kind')}, apiVersion={kind.get('apiVersion')})"
            why = f'user {_shown(request.user)} must have "get" permission on all objects of the referenced paramKind {what}'
            raise invalid(request.resource.gvk, request.name, [forbidden("spec.paramKind", why)])


def _kind_of_policy(context: AdmissionContext, bindings: str, name: str) -> JsonObject | None:
    row = context.scheme.for_path("admissionregistration.k8s.io", "v1", _POLICY_OF[bindings])
    held = context.cache.get(row, NamespacedName("", name)) if row is not None else None
    return (held.obj.get("spec") or {}).get("paramKind") if held is not None else None


def _may_get(context: AdmissionContext, user: UserInfo, kind: JsonObject | None, namespace: str, name: str) -> bool:
    """Without a known kind: everything."""
    group = version = resource = "*"
    if kind is not None:
        gvk = GroupVersionKind.of(kind.get("apiVersion") or "", kind.get("kind") or "")
        group, version = gvk.group, gvk.version
        if (row := context.scheme.for_kind(gvk)) is not None:
            resource = row.plural
    return context.authorizer.authorize(Attributes(
        user=user, verb="get", group=group, version=version, resource=resource, namespace=namespace, name=name,
    )).allowed


def _shown(user: UserInfo) -> str:
    """As Go prints the struct."""
    extra = " ".join(f"{key}:[{' '.join(values)}]" for key, values in sorted(user.extra.items()))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"
