"""Acting as another user: the Impersonate-* headers. Follows apiserver's impersonation filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

from control_plane.apiserver.authentication.user import (
    ANONYMOUS,
    AUTHENTICATED_GROUP,
    SERVICE_ACCOUNTS_GROUP,
    UNAUTHENTICATED_GROUP,
    UserInfo,
    split_service_account,
)
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer, forbidden_error
from kube.apimachinery.errors import BadRequest

USER: Final = "impersonate-user"
GROUP: Final = "impersonate-group"
UID: Final = "impersonate-uid"
EXTRA_PREFIX: Final = "impersonate-extra-"
_AUTHENTICATION: Final = "authentication.k8s.io"


def impersonated(user: UserInfo, headers: Iterable[tuple[str, str]], authorizer: Authorizer) -> UserInfo:
    """Whom the request is to be seen as: `user` itself without Impersonate headers. Raises Forbidden, BadRequest.

    Header names are lower case.
    """
    name, uid, groups = "", "", []
    extra: dict[str, list[str]] = {}
    for header, value in headers:
        if header == USER:
            name = name or value
        elif header == GROUP:
            groups.append(value)
        elif header == UID:
            uid = uid or value
        elif header.startswith(EXTRA_PREFIX):
            extra.setdefault(unquote(header.removeprefix(EXTRA_PREFIX)), []).append(value)
    if not name:
        if groups or uid or extra:
            raise BadRequest("requested uid, groups or extra for impersonation without impersonating a user")
        return user
    for attributes in _questions(user, name, uid, groups, extra):
        decision = authorizer.authorize(attributes)
        if not decision.allowed:
            raise forbidden_error(attributes, decision.reason)
    return UserInfo(name, uid, _with_implied_groups(name, groups), {key: tuple(values) for key, values in extra.items()})


def _questions(
    user: UserInfo, name: str, uid: str, groups: list[str], extra: Mapping[str, list[str]]
) -> list[Attributes]:
    if account := split_service_account(name):
        questions = [Attributes(
            user=user, verb="impersonate", version="v1", resource="serviceaccounts", namespace=account[0], name=account[1]
        )]
    else:
        questions = [Attributes(user=user, verb="impersonate", version="v1", resource="users", name=name)]
    questions += [Attributes(user=user, verb="impersonate", version="v1", resource="groups", name=group) for group in groups]
    if uid:
        questions.append(
            Attributes(user=user, verb="impersonate", group=_AUTHENTICATION, version="v1", resource="uids", name=uid)
        )
    questions += [
        Attributes(
            user=user, verb="impersonate", group=_AUTHENTICATION, version="v1", resource="userextras", subresource=key, name=value
        )
        for key, values in extra.items() for value in values
    ]
    return questions


def _with_implied_groups(name: str, groups: list[str]) -> tuple[str, ...]:
    """The groups that an authenticator would have added."""
    implied = list(groups)
    account = split_service_account(name)
    if account and not groups:
        implied += [SERVICE_ACCOUNTS_GROUP, f"{SERVICE_ACCOUNTS_GROUP}:{account[0]}"]
    if name == ANONYMOUS:
        implied += [UNAUTHENTICATED_GROUP] if UNAUTHENTICATED_GROUP not in implied else []
    elif AUTHENTICATED_GROUP not in implied and UNAUTHENTICATED_GROUP not in implied:
        implied.append(AUTHENTICATED_GROUP)
    return tuple(implied)
