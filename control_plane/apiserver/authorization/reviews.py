"""SubjectAccessReview and its siblings: the spec of a review -> its status."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.errors import Cause, invalid
from kube.apimachinery.fields import FieldSelector, parse_field_selector
from kube.apimachinery.labels import Selector, SelectorError, parse_selector
from kube.apimachinery.scheme import GroupVersionKind


async def review_access(
    authorizer: Authorizer, spec: dict[str, Any], *, user: UserInfo | None = None, namespace: str = "",
    kind: str = "SubjectAccessReview",
) -> dict[str, Any]:
    """The `status`. `user`: who asks, for a SelfSubjectAccessReview; `namespace`: of a LocalSubjectAccessReview. Raises errors.Invalid."""
    causes = list(_causes(spec, needs_subject=user is None, namespace=namespace))
    if causes:
        raise invalid(GroupVersionKind("authorization.k8s.io", "v1", kind), "", causes)
    decision = await authorizer.decide(_attributes(spec, user or _user(spec)))
    status: dict[str, Any] = {"allowed": decision.allowed}
    if decision.denied:
        status["denied"] = True
    if decision.reason:
        status["reason"] = decision.reason
    if decision.error:
        status["evaluationError"] = decision.error
    return status


def _causes(spec: dict[str, Any], *, needs_subject: bool, namespace: str) -> list[Cause]:
    causes = []
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        causes.append(Cause(
            "FieldValueInvalid", "spec.nonResourceAttributes",
            "Invalid value: cannot be specified in combination with resourceAttributes",
        ))
    if resource is None and path is None:
        causes.append(Cause(
            "FieldValueInvalid", "spec.resourceAttributes",
            "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ))
    if needs_subject and not spec.get("user") and not spec.get("groups"):
        causes.append(Cause("FieldValueInvalid", "spec.user", 'Invalid value: "": at least one of user or group must be specified'))
    if namespace and resource is not None and resource.get("namespace", "") != namespace:
        causes.append(Cause(
            "FieldValueInvalid", "spec.resourceAttributes.namespace",
            f'Invalid value: "{resource.get("namespace", "")}": must match metadata.namespace',
        ))
    return causes


def _user(spec: dict[str, Any]) -> UserInfo:
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return UserInfo(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def _attributes(spec: dict[str, Any], user: UserInfo) -> Attributes:
    if (path := spec.get("nonResourceAttributes")) is not None:
        return Attributes(user=user, verb=path.get("verb", ""), path=path.get("path", ""), is_resource=False)
    resource = spec["resourceAttributes"]
    return Attributes(
        user=user, verb=resource.get("verb", ""), group=resource.get("group", ""), version=resource.get("version", ""),
        resource=resource.get("resource", ""), subresource=resource.get("subresource", ""),
        namespace=resource.get("namespace", ""), name=resource.get("name", ""),
        field_selector=_field_selector(resource.get("fieldSelector")), label_selector=_label_selector(resource.get("labelSelector")),
    )


def _field_selector(wanted: dict[str, Any] | None) -> FieldSelector | None:
    """A selector that cannot be understood is as if it were not there: it could only have narrowed the request."""
    if not wanted:
        return None
    try:
        if raw := wanted.get("rawSelector"):
            return parse_field_selector(raw)
        terms = [
            f"{term['key']}{'=' if term['operator'] == 'In' else '!='}{term['values'][0]}"
            for term in wanted.get("requirements") or () if term.get("operator") in ("In", "NotIn") and len(term.get("values") or ()) == 1
        ]
        return parse_field_selector(",".join(terms))
    except SelectorError:
        return None


def _label_selector(wanted: dict[str, Any] | None) -> Selector | None:
    if not wanted or not wanted.get("rawSelector"):
        return None
    try:
        return parse_selector(wanted["rawSelector"])
    except SelectorError:
        return None
