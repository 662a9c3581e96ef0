"""The variable `authorizer` of CEL expressions in admission: what the cluster's authorizer says. Follows apiserver's cel/library/authz."""

from __future__ import annotations

from control_plane.apiserver.authentication.user import SERVICE_ACCOUNTS_GROUP, UserInfo, service_account_username
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.labels import SelectorError, parse_selector
from kube.cel.library import authorizer as cel


def authorizer_of(authorizer: Authorizer, user: UserInfo) -> cel.Authorizer:
    """As who sent the request; an expression may ask for a service account instead."""

    def decide(check: cel.Check) -> cel.Decision:
        asking = user if check.service_account is None else _service_account(*check.service_account)
        try:
            fields = parse_field_selector(check.field_selector) if check.field_selector else None
            labels = parse_selector(check.label_selector) if check.label_selector else None
        except SelectorError as error:
            return cel.Decision(is_allowed=False, error=str(error))
        decision = authorizer.authorize(Attributes(
            user=asking, verb=check.verb, group=check.group, version="" if check.path else "*", resource=check.resource,
            subresource=check.subresource, namespace=check.namespace, name=check.name, path=check.path, is_resource=not check.path,
            field_selector=fields, label_selector=labels,
        ))
        return cel.Decision(decision.allowed, decision.reason, decision.error)

    return cel.Authorizer(decide)


def _service_account(namespace: str, name: str) -> UserInfo:
    return UserInfo(service_account_username(namespace, name), groups=(SERVICE_ACCOUNTS_GROUP, f"{SERVICE_ACCOUNTS_GROUP}:{namespace}"))
